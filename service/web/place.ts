/** Where the viewer looks, as the address holds it: #grid=assigned&x=112.5&y=98&across=40, in cells. */

import { short } from "./page";

/** x, y: the middle, in cells from the upper left corner. across: how many cells fit side by side. */
export interface Place {
  grid: string;
  x: number;
  y: number;
  across: number;
}

/** The place that an address's hash names; whatever it does not name is as in `otherwise`. */
export function parse(hash: string, otherwise: Place, grids: readonly string[]): Place {
  const held = new URLSearchParams(hash.replace(/^#/, ""));
  const number = (name: "x" | "y" | "across", least: number): number => {
    const text = held.get(name);
    const value = text === null || text.trim() === "" ? NaN : Number(text);
    return Number.isFinite(value) && value >= least ? value : otherwise[name];
  };
  const grid = held.get("grid");
  return {
    grid: grid !== null && grids.includes(grid) ? grid : otherwise.grid,
    x: number("x", 0),
    y: number("y", 0),
    across: number("across", 0.01),
  };
}

/** The hash that names a place. */
export function hash(place: Place): string {
  const { grid, x, y, across } = place;
  return `#${new URLSearchParams({ grid, x: short(x), y: short(y), across: short(across) })}`;
}
