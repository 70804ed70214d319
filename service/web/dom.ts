/** What the pages give to their scripts: elements by id, and facts in data attributes. */

/** The element with an id, which the template must hold. */
export function element<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found as T;
}

/** A data attribute, which the template must set. */
export function fact(holder: HTMLElement, name: string): string {
  const value = holder.dataset[name];
  if (value === undefined) throw new Error(`#${holder.id} has no data-${name}`);
  return value;
}

/** Shows a text in an element that is hidden while it has none. */
export function tell(holder: HTMLElement, text: string): void {
  holder.textContent = text;
  holder.hidden = text === "";
}

/** A number with a few significant digits. */
export function short(value: number, digits = 4): string {
  return String(Number(value.toPrecision(digits)));
}
