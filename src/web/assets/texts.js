// The page's words, numbers and small DOM helpers.

export const language = document.documentElement.lang;

export const texts = JSON.parse(document.getElementById("texts").textContent);

/** A text with its `{places}` filled in. */
export function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (_, key) => String(values[key]));
}

/** An amount in minor units as a reader of this language writes it. */
export function money({ minor, currency }) {
  return new Intl.NumberFormat(language, { style: "currency", currency }).format(minor / 100);
}

/** An element with properties and children; text never becomes markup. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) {
    if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** Pictures of the catalog come from this server, whatever name it is reached by. */
export function pictureAddress(address) {
  const url = new URL(address, location.href);
  return url.pathname.startsWith("/images/") ? url.pathname : url.href;
}

/** How many there are, as a badge. */
export function stockBadge(stock) {
  const [kind, text] =
    stock === 0 ? ["none", texts.sold_out]
    : stock <= 3 ? ["few", fill(texts.few_left, { n: stock })]
    : ["some", texts.in_stock];
  return element("span", { className: `stock ${kind}` }, text);
}
