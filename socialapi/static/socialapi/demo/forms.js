/** Forms, and what goes wrong, said where it belongs. */

import { Problem } from "./client.js";

export const find = (selector, within = document) => within.querySelector(selector);

/** Call `action` with what is in the fields of a form that is sent. */
export function onSubmit(form, action) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    action(Object.fromEntries(new FormData(form)));
  });
}

/** Do what asks the API; what goes wrong is shown at `place`. */
export async function attempt(place, action) {
  clearProblem(place);
  try {
    await action();
  } catch (error) {
    if (error.name === "AbortError") return;
    if (!(error instanceof Problem)) throw error;
    showProblem(place, error);
  }
}

/** The same, one at a time: a second click does nothing. */
export async function attemptOnce(place, action) {
  if (place.ariaBusy === "true") return;
  place.ariaBusy = "true";
  await attempt(place, action).finally(() => (place.ariaBusy = "false"));
}

export function clearProblem(place) {
  for (const error of place.querySelectorAll(".error")) error.textContent = "";
  for (const field of place.querySelectorAll("[aria-invalid]")) field.ariaInvalid = null;
}

/** Show what the API says beside the fields that it names, and all else below them. */
function showProblem(place, { message, errors }) {
  const others = [];
  for (const [name, messages] of Object.entries(errors)) {
    const field = place.elements?.namedItem(name);
    const text = messages.join(" ");
    if (field) {
      field.ariaInvalid = "true";
      find(`#${field.id}-error`).textContent = text;
    } else others.push(`${name}: ${text}`);
  }
  const invalid = find("[aria-invalid]", place);
  find(".problem", place).textContent = others.join(" ") || (invalid ? "" : message);
  invalid?.focus();
}
