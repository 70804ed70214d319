/** The camera: asking for it, saying why there is none, and its frames as JPEGs. */

const QUALITY = 0.9;

/** Why there is no picture, in a sentence for a person. */
export class CameraError extends Error {}

/** Shows the camera in a video element. Throws CameraError. */
export async function open(video: HTMLVideoElement): Promise<MediaStream> {
  if (!navigator.mediaDevices?.getUserMedia)
    throw new CameraError(
      "The browser gives the camera only to pages from this computer (localhost, 127.0.0.1) or over https.",
    );
  const wanted = { video: { width: { ideal: 640 }, height: { ideal: 480 } }, audio: false };
  const stream = await navigator.mediaDevices.getUserMedia(wanted).catch((error: unknown) => {
    throw new CameraError(why(error));
  });
  video.srcObject = stream;
  await video.play();
  return stream;
}

/** Ends the camera's stream. */
export function close(video: HTMLVideoElement): void {
  if (video.srcObject instanceof MediaStream) for (const track of video.srcObject.getTracks()) track.stop();
  video.srcObject = null;
}

function why(error: unknown): string {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError" || name === "SecurityError")
    return "The browser was not allowed to use the camera. Allow it for this page (at the address, or in the browser's settings) and start again.";
  if (name === "NotFoundError" || name === "OverconstrainedError")
    return "No camera was found. Connect one and start again.";
  if (name === "NotReadableError" || name === "AbortError")
    return "The camera cannot be read; another program may be using it. Close that one and start again.";
  return `The camera cannot be used: ${error instanceof Error ? error.message : String(error)}`;
}

/** Takes frames of a video, their shorter side at most `side` pixels. */
export class Frames {
  private readonly canvas = document.createElement("canvas");

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly side: number,
  ) {}

  /** The frame that is shown now, as a JPEG; null before the first. */
  async take(): Promise<Blob | null> {
    const { videoWidth: width, videoHeight: height } = this.video;
    if (!width || !height) return null;
    const scale = Math.min(1, this.side / Math.min(width, height));
    this.canvas.width = Math.round(width * scale);
    this.canvas.height = Math.round(height * scale);
    const context = this.canvas.getContext("2d");
    if (!context) throw new CameraError("The browser cannot draw: it has no canvas.");
    context.imageSmoothingQuality = "high";
    context.drawImage(this.video, 0, 0, this.canvas.width, this.canvas.height);
    return new Promise((done) => this.canvas.toBlob(done, "image/jpeg", QUALITY));
  }
}
