/** The page: what is typed goes to the client, what the client tells is shown. */

import { Client, Problem, sleep } from "./client.js";
import { attempt, attemptOnce, clearProblem, find, onSubmit } from "./forms.js";

const PAGE = 20;
const LOG = 12;
const DATE = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const TIME = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

const account = find("#account");
const outside = find("#outside");
const inside = find("#inside");
const logIn = find("#log-in");
const signUp = find("#sign-up");
const write = find("#write");
const search = find("#find");
const list = find("#posts");
const found = find("#found");
const more = find("#more");
const log = find("#log");
const dialog = find("#confirm");

const client = new Client(leave);
// The posts that are shown, by their ids.
const posts = new Map();
let me = null;
// What is searched for, where the list goes on, and how often it was begun.
let sought = "";
let next = null;
let turn = 0;
// The events that came while the list was being read, to be told after it.
let held = null;

/* Coming and going. */

/** Show the posts of whoever has logged in. */
async function enter() {
  me = await client.request("GET", "/users/me");
  for (const form of [logIn, signUp]) {
    form.reset();
    clearProblem(form);
  }
  find("#me").textContent = me.username;
  account.hidden = inside.hidden = false;
  outside.hidden = true;
  find("#posts-title").focus();
  tellState("", "Connecting…");
  client.watch({ onEvent, onOpen, onBreak }).catch((error) => {
    if (error.name !== "AbortError") throw error;
  });
}

/** Come back as whoever was logged in, as soon as the server answers. */
async function comeBack() {
  while (client.isLoggedIn && !me)
    try {
      await enter();
    } catch (error) {
      if (error.name === "AbortError") return;
      if (!(error instanceof Problem)) throw error;
      find("#greeting").textContent = `${error.message} Trying again…`;
      logIn.hidden = signUp.hidden = true;
      outside.hidden = false;
      await sleep(Math.max(1000 + 1000 * Math.random(), error.pause));
    }
}

/** Show the login, and nothing of what was there before. */
function leave() {
  me = next = held = null;
  sought = "";
  turn++;
  posts.clear();
  for (const shown of [list, log]) shown.replaceChildren();
  for (const form of [write, search]) {
    form.reset();
    clearProblem(form);
  }
  if (dialog.open) dialog.close();
  account.hidden = inside.hidden = true;
  logIn.hidden = signUp.hidden = outside.hidden = false;
  find("#greeting").textContent = "You are logged out.";
  find("input", logIn).focus();
}

/* The list. */

/** Read the list from its beginning. */
async function load() {
  const mine = ++turn;
  const query = new URLSearchParams({ limit: PAGE, ...(sought && { search: sought }) });
  held = [];
  list.ariaBusy = "true";
  await attempt(search, async () => {
    const page = await client.request("GET", `/posts?${query}`);
    if (mine !== turn) return;
    posts.clear();
    list.replaceChildren();
    show(page);
  });
  if (mine !== turn) return;
  const events = held;
  held = null;
  list.ariaBusy = "false";
  for (const [name, data] of events) onEvent(name, data);
}

/** Read on where the list ends. */
async function loadMore() {
  const mine = turn;
  // The link is absolute, and a proxy may have another name for this server.
  const { pathname, search: query } = new URL(next);
  await attempt(search, async () => {
    const page = await client.request("GET", pathname + query);
    if (mine !== turn) return;
    show(page);
    find("button", posts.get(page.results[0]?.id)?.item ?? inside).focus();
  });
}

function show(page) {
  next = page.next;
  for (const post of page.results) put(post, true);
  more.hidden = next === null;
  tellFound();
}

function tellFound() {
  const nothing = sought ? "No title contains this." : "There are no posts yet. Write the first.";
  found.textContent = posts.size || next ? "" : nothing;
}

/** Show a post as it is now, at its place among the others, unless that is further down. */
function put(post, isListed = false) {
  const shown = posts.get(post.id);
  if (shown) {
    Object.assign(shown.post, post);
  } else {
    const after = [...list.children].find((item) => Number(item.dataset.id) < post.id);
    if (!after && next && !isListed) return;
    const item = find("#post").content.firstElementChild.cloneNode(true);
    item.dataset.id = post.id;
    item.classList.toggle("new", !isListed);
    find(".vote", item).addEventListener("click", () => vote(post.id));
    find(".delete", item).addEventListener("click", () => remove(post.id));
    list.insertBefore(item, isListed ? null : (after ?? null));
    posts.set(post.id, { post: { voted: false, ...post }, item });
  }
  draw(posts.get(post.id));
}

/** Fill in a post. Whatever users wrote is text, never markup. */
function draw({ post, item }) {
  find(".title", item).textContent = post.title;
  find(".owner", item).textContent = nameOf(post.owner);
  const time = find("time", item);
  time.dateTime = post.created_at;
  time.textContent = DATE.format(new Date(post.created_at));
  find(".content", item).textContent = post.content;
  find(".count", item).textContent = post.votes;
  find(".vote", item).ariaPressed = String(post.voted);
  find(".delete", item).hidden = post.owner_id !== me.id;
}

function nameOf(owner) {
  return owner.id === me.id ? "You" : owner.username;
}

/** Take a post out of the list; whoever is at it goes to the list's beginning. */
function drop(id) {
  const item = posts.get(id)?.item;
  if (!item) return;
  if (item.contains(document.activeElement)) find("#posts-title").focus();
  item.remove();
  posts.delete(id);
  tellFound();
}

/** Vote, or take the vote back: shown at once, and undone if the API refuses. */
function vote(id) {
  const { post, item } = posts.get(id);
  const toggle = () => {
    post.votes += post.voted ? -1 : 1;
    post.voted = !post.voted;
    draw({ post, item });
  };
  attemptOnce(item, async () => {
    toggle();
    try {
      await client.request(post.voted ? "PUT" : "DELETE", `/posts/${id}/vote`);
    } catch (error) {
      if (me) toggle();
      throw error;
    }
  });
}

/** Delete a post, if that is what is meant. */
async function remove(id) {
  const { post, item } = posts.get(id);
  find("b", dialog).textContent = post.title;
  dialog.returnValue = "";
  dialog.showModal();
  await new Promise((close) => dialog.addEventListener("close", close, { once: true }));
  if (dialog.returnValue !== "delete") return;
  await attemptOnce(item, async () => {
    await client.request("DELETE", `/posts/${id}`);
    drop(id);
  });
}

/* The stream. */

/** The stream begins or goes on; the list is read after it began, so that nothing is missed. */
function onOpen(isResumed) {
  tellState("on", "Connected");
  for (const { item } of posts.values()) clearProblem(item);
  if (!isResumed) load();
}

function onBreak(problem) {
  tellState("off", `${problem?.message ?? "The stream has ended."} Connecting again…`);
  // There may be posts without a stream.
  if (!posts.size && !held) load();
}

function tellState(name, text) {
  find("#live").dataset.state = name;
  find("#state").textContent = text;
}

function onEvent(name, data) {
  if (held) held.push([name, data]);
  else events[name](data);
}

const events = {
  created(post) {
    tell(nameOf(post.owner), " wrote ", quoted(post.title));
    if (posts.has(post.id) || isSought(post)) put(post);
    tellFound();
  },
  updated(post) {
    tell(nameOf(post.owner), " changed ", quoted(post.title));
    if (posts.has(post.id)) put(post);
  },
  deleted({ id }) {
    tell(known(id), " is gone");
    drop(id);
  },
  votes({ id, votes }) {
    tell(known(id), ` has ${votes} ${votes === 1 ? "vote" : "votes"}`);
    if (posts.has(id)) put({ id, votes });
  },
  reset: load,
};

/** What to call a post that may not be in the list. */
function known(id) {
  return posts.has(id) ? quoted(posts.get(id).post.title) : `Post ${id}`;
}

/** A user's words among ours, whichever way they are written. */
function quoted(text) {
  const words = document.createElement("bdi");
  words.textContent = `“${text}”`;
  return words;
}

/** Whether a new post belongs to the list; the API ignores case as well. */
function isSought({ title }) {
  return title.toLowerCase().includes(sought.toLowerCase());
}

/** Write a line into the log. */
function tell(...parts) {
  const time = document.createElement("time");
  time.textContent = TIME.format(new Date());
  const line = document.createElement("p");
  line.append(time, " ", ...parts);
  log.prepend(line);
  log.children[LOG]?.remove();
}

/* What the user does. */

onSubmit(logIn, ({ email, password }) =>
  attemptOnce(logIn, async () => {
    clearProblem(signUp);
    await client.logIn(email, password);
    await enter();
  }),
);
onSubmit(signUp, (fields) =>
  attemptOnce(signUp, async () => {
    clearProblem(logIn);
    await client.signUp(fields);
    await client.logIn(fields.email, fields.password);
    await enter();
  }),
);
onSubmit(write, (fields) =>
  attemptOnce(write, async () => {
    const post = await client.request("POST", "/posts", fields);
    if (isSought(post)) put(post);
    tellFound();
    write.reset();
    find("#title").focus();
  }),
);
onSubmit(search, (fields) => {
  sought = fields.search.trim();
  load();
});
more.addEventListener("click", loadMore);
find("#log-out").addEventListener("click", () => attempt(logIn, () => client.logOut()));

await comeBack();
outside.hidden = me !== null;
