/** The live page: one frame at a time to the service, its maps and classes back; the next frame only after the answer. */

import { problem, words } from "../api";
import * as camera from "./camera";
import { MosaicView, type Mosaic } from "./mosaic";
import { element, fact, tell } from "../dom";

interface Share {
  class_index: number;
  class_name: string | null;
  probability: number;
}

/** The header Unitscope-Live. */
interface FrameFacts {
  prediction: Share[];
  mosaic: Mosaic | null;
  height: number;
  width: number;
  seen: [number, number, number, number];
}

/** A frame that was not answered, and after how many milliseconds to try again; null: not before something changes. */
class Refused extends Error {
  constructor(
    message: string,
    readonly again: number | null,
  ) {
    super(message);
  }
}

/** Seconds over which the rate is averaged, about. */
const AVERAGE = 1;

class LivePage {
  private readonly holder = element("live");
  private readonly alert = element("live-problem");
  private readonly video = element<HTMLVideoElement>("live-video");
  private readonly button = element<HTMLButtonElement>("live-start");
  private readonly layer = element<HTMLSelectElement>("live-layer");
  private readonly rate = element("live-rate");
  private readonly seen = element("live-seen");
  private readonly classes = element("live-classes");
  private readonly frames = new camera.Frames(this.video, Number(fact(this.holder, "side")));
  private readonly maps: MosaicView;
  private run = 0;
  private interval = 0;

  constructor() {
    const chosen = element("live-unit");
    this.maps = new MosaicView(
      element<HTMLCanvasElement>("live-maps"),
      element("live-chosen"),
      (unit) => (chosen.textContent = unit === null ? "\u00a0" : `unit ${unit} of ${this.layer.value}`),
      (unit, aside) => this.visit(unit, aside),
    );
    this.button.addEventListener("click", () => void (this.run ? this.pause() : this.start()));
    this.layer.addEventListener("change", () => {
      const address = new URL(location.href);
      address.searchParams.set("layer", this.layer.value);
      history.replaceState(null, "", address);
      if (!this.run && this.video.srcObject) void this.start();
    });
    addEventListener("pagehide", () => this.pause());
  }

  private visit(unit: number, aside: boolean): void {
    const page = `${fact(this.holder, "units")}/${encodeURIComponent(this.layer.value)}/${unit}`;
    if (aside) open(page, "_blank", "noopener");
    else location.assign(page);
  }

  private async start(): Promise<void> {
    const run = (this.run = Date.now());
    this.button.textContent = "Stop the camera";
    tell(this.alert, "");
    this.interval = 0;
    try {
      const stream = await camera.open(this.video);
      for (const track of stream.getVideoTracks())
        track.addEventListener("ended", () => this.stop("The camera was disconnected or taken away."));
      if (this.run === run) await this.loop(run);
      else camera.close(this.video);
    } catch (error) {
      if (this.run === run) this.stop(words(error));
    }
  }

  private pause(): void {
    this.stop("");
  }

  private stop(why: string): void {
    this.run = 0;
    camera.close(this.video);
    this.button.textContent = "Start the camera";
    this.rate.textContent = "";
    this.seen.hidden = true;
    tell(this.alert, why);
  }

  /** Until another run begins or this one is stopped. */
  private async loop(run: number): Promise<void> {
    let last = performance.now();
    while (this.run === run) {
      await nextFrame(this.video);
      if (document.hidden) continue;
      try {
        if (!(await this.frame(run))) continue;
        const now = performance.now();
        this.count((now - last) / 1000);
        last = now;
        tell(this.alert, "");
      } catch (error) {
        if (this.run !== run) return;
        if (!(error instanceof Refused) || error.again === null) throw error;
        tell(this.alert, `${error.message} Trying again.`);
        await new Promise((done) => setTimeout(done, error.again ?? 0));
        last = performance.now();
      }
    }
  }

  /** Sends one frame and shows what comes back; false where there is no frame yet. */
  private async frame(run: number): Promise<boolean> {
    const jpeg = await this.frames.take();
    if (!jpeg) return false;
    const layer = this.layer.value;
    const response = await send(`${fact(this.holder, "api")}/live/maps?${new URLSearchParams({ layer })}`, jpeg);
    const facts = JSON.parse(response.headers.get("Unitscope-Live") ?? "{}") as FrameFacts;
    const picture = await createImageBitmap(await response.blob());
    if (this.run !== run || layer !== this.layer.value) return true;
    if (facts.mosaic) this.maps.draw(picture, facts.mosaic);
    picture.close();
    this.tellClasses(facts.prediction);
    this.outline(facts);
    this.holder.dataset["frames"] = String(Number(this.holder.dataset["frames"] ?? 0) + 1);
    return true;
  }

  /** The part of the frame that the network sees. */
  private outline({ seen, width, height }: FrameFacts): void {
    const { clientWidth, clientHeight } = this.video;
    const scale = Math.min(clientWidth / width, clientHeight / height);
    const [left, top] = [(clientWidth - width * scale) / 2, (clientHeight - height * scale) / 2];
    const style = this.seen.style;
    style.left = `${left + seen[0] * scale}px`;
    style.top = `${top + seen[1] * scale}px`;
    style.width = `${(seen[2] - seen[0]) * scale}px`;
    style.height = `${(seen[3] - seen[1]) * scale}px`;
    this.seen.hidden = false;
  }

  private tellClasses(shares: Share[]): void {
    if (shares.length === 0) {
      this.classes.textContent = "This network has no classes.";
      return;
    }
    while (this.classes.children.length > shares.length) this.classes.lastElementChild?.remove();
    if (this.classes.children.length === 0) this.classes.textContent = "";
    while (this.classes.children.length < shares.length) this.classes.append(row());
    shares.forEach((share, rank) => {
      const [name, meter, percent] = (this.classes.children[rank] as HTMLElement).children;
      if (!name || !percent || !(meter instanceof HTMLMeterElement)) return;
      name.textContent = share.class_name ?? `class ${share.class_index}`;
      meter.value = share.probability;
      meter.setAttribute("aria-label", name.textContent);
      percent.textContent = `${(100 * share.probability).toFixed(1)} %`;
    });
  }

  private count(seconds: number): void {
    const weight = this.interval === 0 ? 1 : 1 - Math.exp(-seconds / AVERAGE);
    this.interval += weight * (seconds - this.interval);
    this.rate.textContent = `${(1 / this.interval).toFixed(1)} frames/s`;
  }
}

function row(): HTMLLIElement {
  const item = document.createElement("li");
  item.append(document.createElement("span"), document.createElement("meter"), document.createElement("span"));
  return item;
}

/** Posts a frame. Throws Refused with the service's own words. */
async function send(address: string, jpeg: Blob): Promise<Response> {
  const response = await fetch(address, { method: "POST", body: jpeg, headers: { "Content-Type": "image/jpeg" } }).catch(
    () => {
      throw new Refused("The service does not answer; is it still running?", 2000);
    },
  );
  if (response.ok) return response;
  const after = Number(response.headers.get("Retry-After") ?? "1");
  const again = response.status === 503 ? 1000 * (Number.isFinite(after) ? Math.min(10, Math.max(0.5, after)) : 1) : null;
  throw new Refused((await problem(response)).message, again);
}

/** When the video has another frame; also where the browser cannot tell. */
function nextFrame(video: HTMLVideoElement): Promise<void> {
  return new Promise((done) => {
    const late = setTimeout(done, 250);
    const now = (): void => {
      clearTimeout(late);
      done();
    };
    if ("requestVideoFrameCallback" in video) video.requestVideoFrameCallback(now);
    else requestAnimationFrame(now);
  });
}

try {
  new LivePage();
} catch (error) {
  tell(element("live-problem"), `The page does not work: ${words(error)}`);
}
