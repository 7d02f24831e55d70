// Signs up, posts, votes and leaves, by openapi-fetch with the types that openapi-typescript made:
// node build/tour.js URL
import createClient, { type Middleware } from "openapi-fetch";
import type { components, paths } from "./api.js";

type Schemas = components["schemas"];

async function main(url: string): Promise<void> {
  let token = "";
  const bearer: Middleware = {
    onRequest: ({ request }) => {
      if (token) request.headers.set("Authorization", `Bearer ${token}`);
    },
  };
  const api = createClient<paths>({ baseUrl: url });
  api.use(bearer);

  const email = `${crypto.randomUUID()}@example.com`;
  const password = "gaily-forward-58";
  const account = expect(await api.POST("/users", { body: { email, password } }));
  const taken = await api.POST("/users", { body: { email, password } });
  check(taken.error && "errors" in taken.error && "email" in taken.error.errors, taken.error);

  let tokens: Schemas["TokenPair"] = expect(await api.POST("/login", { body: { email, password } }));
  const { refresh_token } = tokens;
  tokens = expect(await api.POST("/token/refresh", { body: { refresh_token } }));
  token = tokens.access_token;
  check(expect(await api.GET("/users/me")).email === email);

  const draft = { title: "On engines", content: "They weave algebra.", published: false };
  let post = expect(await api.POST("/posts", { body: draft }));
  const params = { path: { id: post.id } };
  post = expect(await api.PATCH("/posts/{id}", { params, body: { published: true } }));
  check(post.owner.id === account.id, post);

  const body = { post_id: post.id, vote_dir: 1 };
  expect(await api.POST("/vote", { body }));
  const again = await api.POST("/vote", { body });
  check(again.error?.status === 409, again.error);
  succeed(await api.DELETE("/posts/{id}/vote", { params }));
  const stream = await api.GET("/posts/stream", { parseAs: "stream" });
  const events = stream.data!.pipeThrough(new TextDecoderStream()).getReader();
  check((await events.read()).value?.startsWith("retry:"));
  succeed(await api.PUT("/posts/{id}/vote", { params }));
  for (let text = ""; !text.includes(`"id":${post.id},`); ) {
    const { done, value } = await events.read();
    check(!done, "The stream has ended.");
    text += value;
  }
  await events.cancel();

  const query = { search: "ENGINES", owner: account.id, sort: "top", limit: 5 } as const;
  const page = expect(await api.GET("/posts", { params: { query } }));
  check(page.results.length === 1 && page.results[0]?.votes === 1 && page.next === null, page);

  succeed(await api.POST("/logout", { body: { refresh_token: tokens.refresh_token } }));
  const ended = await api.GET("/posts/{id}", { params });
  check(ended.response.status === 401, ended.error);

  token = "";
  tokens = expect(await api.POST("/login", { body: { email, password } }));
  token = tokens.access_token;
  succeed(await api.DELETE("/users/me", { body: { password } }));
}

/** Returns the data of an answer; an error is thrown. */
function expect<T>({ data, error }: { data?: T; error?: Schemas["Problem"] }): T {
  check(data !== undefined, error);
  return data;
}

/** Throws unless there is nothing more to say. */
function succeed({ response, error }: { response: Response; error?: Schemas["Problem"] }): void {
  check(response.status === 204, error);
}

function check(holds: unknown, answer?: unknown): asserts holds {
  if (!holds) throw new Error(JSON.stringify(answer));
}

declare const process: { argv: string[] };
await main(process.argv[2] ?? "http://localhost:8000");
