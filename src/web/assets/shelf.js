// The shelf: products, categories and search.

import { element, fill, language, money, pictureAddress, stockBadge, texts } from "./texts.js";

const list = document.getElementById("products");
const note = document.getElementById("shelf-note");
const categories = document.getElementById("categories");
const query = document.getElementById("query");

/** Fills the shelf; `ask` is given the words of a question about a product. */
export async function startShelf(ask) {
  let products;
  try {
    const response = await fetch(`/api/products?language=${language}`);
    if (!response.ok) throw new Error(`status ${response.status}`);
    products = (await response.json()).products;
  } catch {
    note.textContent = texts.shelf_failed;
    list.replaceChildren();
    return;
  }
  const shelf = { products, category: null, ask };
  for (const product of products) product.words = plain(`${product.title} ${product.description} ${label(product.category)}`);
  offerCategories(shelf);
  document.getElementById("search").addEventListener("submit", (event) => {
    event.preventDefault();
    search(shelf);
  });
  query.addEventListener("input", () => arrange(shelf, matching(shelf)));
  arrange(shelf, matching(shelf));
}

function offerCategories(shelf) {
  const names = [...new Set(shelf.products.map((product) => product.category))];
  const all = categories.querySelector("button");
  const buttons = names.map((name) => element("button", { type: "button", className: "chip", "aria-pressed": "false" }, label(name)));
  categories.append(...buttons);
  [all, ...buttons].forEach((button, place) => {
    button.addEventListener("click", () => {
      shelf.category = place === 0 ? null : names[place - 1];
      for (const other of categories.children) other.setAttribute("aria-pressed", String(other === button));
      arrange(shelf, matching(shelf));
    });
  });
}

/** Asks the shop's own search, which understands sentences; the words alone decide when it has no answer. */
async function search(shelf) {
  const words = query.value.trim();
  if (words === "") return arrange(shelf, matching(shelf));
  let found = [];
  try {
    const response = await fetch("/api/tools/search_catalog", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ query: words }),
    });
    const result = response.ok ? await response.json() : {};
    const ids = (result.structuredContent?.products ?? []).map((product) => product.id);
    found = ids.map((id) => shelf.products.find((product) => product.id === id)).filter(Boolean);
  } catch {
    found = [];
  }
  if (query.value.trim() !== words) return;
  arrange(shelf, found.length > 0 ? found : matching(shelf));
}

function matching({ products, category }) {
  const words = plain(query.value).split(/\s+/).filter(Boolean);
  return products.filter(
    (product) =>
      (category === null || product.category === category) && words.every((word) => product.words.includes(word)),
  );
}

function arrange(shelf, products) {
  list.replaceChildren(...products.map((product) => shelved(product, shelf.ask)));
  note.textContent = products.length === 0 ? texts.nothing_found : "";
}

function shelved(product, ask) {
  const button = element("button", { type: "button" }, texts.ask);
  button.setAttribute("aria-label", `${texts.ask}: ${product.title}`);
  button.addEventListener("click", () => ask(fill(texts.ask_text, { title: product.title })));
  return element(
    "li",
    { className: "product" },
    element("img", { src: pictureAddress(product.image), alt: "", width: 480, height: 480, loading: "lazy" }),
    element("h3", {}, product.title),
    element("p", { className: "about" }, product.description),
    element("p", { className: "price" }, element("strong", {}, money(product.price)), stockBadge(product.stock)),
    button,
  );
}

function label(category) {
  return texts.categories[category] ?? category.replaceAll("_", " ");
}

/** Lower case without accents, so that `caffe` finds `caffè`. */
function plain(text) {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}
