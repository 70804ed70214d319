/** What is the same in two frames, or in two grids of one: a share of the map, a region, an image. */

import { ask } from "./api";
import type { Pane } from "./pane";
import type { Paint } from "./place";

/** As many cells across in another grid as show the same share of it. */
export function shared(pane: Pane, grid: string, across: number): number {
  return grid === "scatter" || pane.grid === "scatter"
    ? (across / pane.columns) * pane.whole(grid).x * 2
    : across;
}

/** The paint that marks a region which was drawn in another frame. */
export function drawnIn(pane: Pane, region: string): Paint {
  const { store, atlas } = pane.facts;
  return { by: "region", region, region_grid: pane.grid, region_atlas: atlas, region_store: store };
}

/** The same image in the store of another frame; null where it has none. */
export async function counterpart(from: Pane, to: Pane, image: number): Promise<number | null> {
  if (from.facts.store === to.facts.store) return image;
  const query = new URLSearchParams({ other: to.facts.store });
  return (await ask<{ counterpart: number | null }>(`${from.facts.images}/${image}/counterpart?${query}`)).counterpart;
}
