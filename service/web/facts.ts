/** The panel beside a map: what is at one place of it, as the service draws it, and what it is painted by. */

import type { Cell } from "./cells";
import { element } from "./page";

export class Facts {
  private readonly holder = element("facts");
  private readonly paint = element("facts-paint");

  show(cell: Cell): void {
    this.holder.innerHTML = cell.html;
  }

  /** What the item that is shown is painted by. */
  painted(text: string): void {
    this.paint.textContent = text;
  }

  clear(): void {
    this.holder.innerHTML = '<strong id="facts-name"></strong>';
    this.painted("");
  }
}
