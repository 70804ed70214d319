/** The panel of a region: its images, classes and most characteristic units, as the service draws them. */

import { element } from "../dom";
import { fragment } from "./coloring";
import type { Frame } from "./frame";

export class RegionPanel {
  private readonly holder = element("atlas-region");
  private readonly facts = element("region-facts");
  private readonly units = element("region-units");
  private asking: AbortController | undefined;

  /** Shows what a region of an atlas holds; nothing with an empty text. */
  async show(frame: Frame, region: string): Promise<void> {
    this.asking?.abort();
    this.holder.hidden = region === "";
    this.units.replaceChildren();
    delete this.holder.dataset["ready"];
    if (!region) {
      this.facts.replaceChildren();
      return;
    }
    const asking = (this.asking = new AbortController());
    const query = (part: string): string =>
      `${frame.facts.page}/region?${frame.query({ grid: frame.grid, region, part })}`;
    if (await fragment(query("facts"), this.facts, asking.signal)) {
      if (frame.facts.one !== "unit") this.units.textContent = "Computing the units of the selection …";
      await fragment(query("units"), this.units, asking.signal);
    }
    if (!asking.signal.aborted) this.holder.dataset["ready"] = "";
  }
}
