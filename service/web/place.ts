/** What is looked at, as the address holds it: #grid=assigned&x=112.5&y=98&across=40&by=unit&layer=…&region=…, in cells. */

import { short } from "./page";

/** x, y: the middle, in cells from the upper left corner. across: how many cells fit side by side. */
export interface Look {
  x: number;
  y: number;
  across: number;
}

export interface Place extends Look {
  grid: string;
}

/** What the atlas is painted by: the parameters that the API takes for it. Empty for nothing. */
export type Paint = Readonly<Record<string, string>>;

/** A region. pane: in which of the frames it was drawn, from 0. */
export interface Region {
  corners: string;
  pane: number;
}

/** All that the address holds. beside: where the second frame looks. find: the filter whose images are marked. */
export interface View extends Place {
  beside: Look | null;
  paint: Paint;
  strength: number;
  find: string;
  region: Region | null;
}

export const STRENGTH = 0.6;
const PAINT = ["by", "column", "layer", "unit", "where"];

/** The view that an address's hash names; whatever it does not name is as in `otherwise`. */
export function parse(hash: string, otherwise: Place, grids: readonly string[]): View {
  const held = new URLSearchParams(hash.replace(/^#/, ""));
  const number = (name: string, least: number, usual: number): number => {
    const text = held.get(name);
    const value = text === null || text.trim() === "" ? NaN : Number(text);
    return Number.isFinite(value) && value >= least ? value : usual;
  };
  const look = (after: string, usual: Look): Look => ({
    x: number(`x${after}`, 0, usual.x),
    y: number(`y${after}`, 0, usual.y),
    across: number(`across${after}`, 0.01, usual.across),
  });
  const grid = held.get("grid");
  const corners = held.get("region");
  const named = PAINT.map((name): [string, string | null] => [name, held.get(name)]);
  return {
    grid: grid !== null && grids.includes(grid) ? grid : otherwise.grid,
    ...look("", otherwise),
    beside: held.has("across2") ? look("2", { x: 0, y: 0, across: 0 }) : null,
    paint: held.has("by") ? Object.fromEntries(named.filter((one): one is [string, string] => one[1] !== null)) : {},
    strength: Math.min(1, number("strength", 0.1, STRENGTH)),
    find: held.get("find") ?? "",
    region: corners ? { corners, pane: number("pane", 0, 0) } : null,
  };
}

/** The hash that names a view. */
export function hash(view: View): string {
  const { grid, beside, paint, strength, find, region } = view;
  const held = new URLSearchParams({ grid });
  const put = (look: Look, after: string): void => {
    if (look.across > 0) for (const name of ["x", "y", "across"] as const) held.set(name + after, short(look[name]));
  };
  put(view, "");
  if (beside) put(beside, "2");
  for (const [name, value] of Object.entries(paint)) held.set(name, value);
  if (strength !== STRENGTH && "by" in paint) held.set("strength", String(strength));
  if (find) held.set("find", find);
  if (region) held.set("region", region.corners);
  if (region?.pane) held.set("pane", String(region.pane));
  return `#${held}`;
}
