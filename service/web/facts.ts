/** The panel beside a map: what is at one place of it, as the service draws it, and what it is painted by. */

import type { Cell } from "./cells";
import { element } from "./page";

export class Facts {
  private readonly holder = element("facts");
  private readonly paint = element("facts-paint");
  private readonly away = element("facts-away");

  /** Shows a cell. seen: whether it is in the frame. */
  show(cell: Cell, seen: boolean): void {
    this.holder.innerHTML = cell.html;
    this.away.textContent = seen ? "" : "Nothing is drawn here: this is the nearest.";
  }

  /** What the item that is shown is painted by. */
  painted(text: string): void {
    this.paint.textContent = text;
  }

  clear(): void {
    this.holder.innerHTML = '<strong id="facts-name"></strong>';
    this.away.textContent = "";
    this.painted("");
  }
}
