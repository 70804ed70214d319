/** The panel beside the atlas: the image of one cell, what it is and what the model says. */

import type { Cell, Shown } from "./cells";
import { element } from "./page";

/** Fills the panel; every element of it is there from the start, so nothing moves. */
export class Facts {
  private readonly link = element<HTMLAnchorElement>("facts-link");
  private readonly picture = element<HTMLImageElement>("facts-picture");
  private readonly name = element("facts-name");
  private readonly label = element("facts-label");
  private readonly says = element("facts-says");
  private readonly more = element("facts-more");
  private readonly paint = element("facts-paint");

  /** Shows a cell. pages: where the pages of its store are. */
  show(cell: Cell, pages: string): void {
    const image = cell.image;
    if (!image) {
      this.clear("No image lies here.");
      return;
    }
    this.link.href = `${pages}/images/${image.image_id}`;
    this.picture.src = image.thumb;
    this.picture.alt = `image ${image.image_id}`;
    this.picture.classList.toggle("crisp", (image.width ?? 0) <= 64);
    this.name.textContent = `image ${image.image_id}`;
    this.label.textContent = image.label_class ?? image.label ?? "no label";
    this.says.textContent = says(image);
    this.says.classList.toggle("wrong", isWrong(image));
    this.more.textContent = `${image.uri}${cell.images > 1 ? ` · ${cell.images} images lie in this cell` : ""}`;
  }

  /** What the image that is shown is painted by. */
  painted(text: string): void {
    this.paint.textContent = text;
  }

  /** Shows a text and no image. */
  clear(text: string): void {
    this.link.removeAttribute("href");
    this.picture.removeAttribute("src");
    this.picture.alt = "";
    this.name.textContent = text;
    for (const one of [this.label, this.says, this.paint, this.more]) one.textContent = "";
  }
}

function isWrong(image: Shown): boolean {
  return image.label_index !== null && image.predicted !== null && image.label_index !== image.predicted;
}

function says(image: Shown): string {
  if (image.predicted === null) return "";
  const sure = image.probability === null ? "" : ` ${(100 * image.probability).toFixed(1)} %`;
  if (image.label_index === image.predicted) return `✓${sure}`;
  const name = image.predicted_class ?? `class ${image.predicted}`;
  return `${image.label_index === null ? "→" : "✗"} ${name}${sure}`;
}
