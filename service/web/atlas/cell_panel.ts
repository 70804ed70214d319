/** The panel beside a map: what is at one place of it, as the service draws it, and what it is colored by. */

import type { Cell } from "./cell_cache";
import { element } from "../dom";

export class CellPanel {
  private readonly holder = element("facts");
  private readonly coloring = element("facts-paint");
  private readonly away = element("facts-away");

  /** Shows a cell. seen: whether it is in the frame. */
  show(cell: Cell, seen: boolean): void {
    this.holder.innerHTML = cell.html;
    this.away.textContent = seen ? "" : "Nothing is drawn here: this is the nearest.";
  }

  /** What the item that is shown is colored by. */
  colored(text: string): void {
    this.coloring.textContent = text;
  }

  clear(): void {
    this.holder.innerHTML = '<strong id="facts-name"></strong>';
    this.away.textContent = "";
    this.colored("");
  }
}
