"use strict";

const place = document.getElementById("redoc");

// The styles that Redoc makes get the page's nonce. Its one image, its maker's logo, lies on a
// server of theirs, and is left out.
document.createElement = function (name, ...options) {
  const ours = name === "img" ? "span" : name;
  const element = Document.prototype.createElement.call(document, ours, ...options);
  if (name === "style") element.nonce = place.dataset.nonce;
  return element;
};

document.addEventListener("DOMContentLoaded", () => Redoc.init(place.dataset.document, {}, place));
