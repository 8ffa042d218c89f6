// The shelf: products, categories and search.

import { answered, failed, noted } from "./presence.js";
import { element, fill, language, money, pictureAddress, stockBadge, texts } from "./texts.js";

/** So many products an assistant is told of. */
const TOLD = 20;

const list = document.getElementById("products");
const note = document.getElementById("shelf-note");
const categories = document.getElementById("categories");
const query = document.getElementById("query");

let loading = null;

/** The products of the shelf; none while the server cannot be reached. */
export function catalog() {
  loading ??= load();
  return loading;
}

async function load() {
  try {
    const response = await fetch(`/api/products?language=${language}`);
    if (!response.ok) throw new Error(`status ${response.status}`);
    return (await response.json()).products;
  } catch {
    loading = null;
    return [];
  }
}

/** Fills the shelf; `ask` is given the words of a question about a product, `show` brings the shelf into view. */
export async function startShelf({ ask, show }) {
  const started = start(ask);
  document.getElementById("search").addEventListener("submit", (event) => {
    event.preventDefault();
    const found = async () => {
      const shelf = await started;
      return shelf && search(shelf);
    };
    if (!event.agentInvoked) return void found();
    // An assistant does not see which category is chosen.
    categories.firstElementChild.click();
    show();
    event.respondWith(noted(texts.tools.show_products, async () => told(await found())));
  });
}

async function start(ask) {
  const products = await catalog();
  if (products.length === 0) {
    note.textContent = texts.shelf_failed;
    list.replaceChildren();
    return null;
  }
  const shelf = { products, category: null, ask };
  for (const product of products) product.words = plain(`${product.title} ${product.description} ${label(product.category)}`);
  offerCategories(shelf);
  query.addEventListener("input", () => arrange(shelf, matching(shelf)));
  arrange(shelf, matching(shelf));
  return shelf;
}

/** What an assistant that searched is told. */
function told(products) {
  if (!products) return failed("The shelf could not be loaded. Reload the page and try again.");
  const shown = products.slice(0, TOLD).map(({ id, title, price, stock }) => ({ id, title, price: money(price), stock }));
  return answered(JSON.stringify({ shown: products.length, products: shown }));
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

/** Asks the shop's own search, which understands sentences; the words alone decide when it has no answer. Answers what is shown. */
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
    found = ids.map((id) => shelf.products.find((product) => product.id === id)).filter((product) => fits(shelf, product));
  } catch {
    found = [];
  }
  if (query.value.trim() !== words) return found;
  return arrange(shelf, found.length > 0 ? found : matching(shelf));
}

function matching(shelf) {
  const words = plain(query.value).split(/\s+/).filter(Boolean);
  return shelf.products.filter((product) => fits(shelf, product) && words.every((word) => product.words.includes(word)));
}

function fits({ category }, product) {
  return product && (category === null || product.category === category);
}

function arrange(shelf, products) {
  list.replaceChildren(...products.map((product) => shelved(product, shelf.ask)));
  note.textContent = products.length === 0 ? texts.nothing_found : "";
  return products;
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
