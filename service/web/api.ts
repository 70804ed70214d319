/** Asking the service: JSON answers, and problems as errors that say why. */

/** What the service says went wrong, in a sentence for a person. */
export class ProblemError extends Error {}

/** The JSON of an address. Throws ProblemError with the service's own words. */
export async function ask<T>(address: string, signal?: AbortSignal): Promise<T> {
  const response = await get(address, "application/json", signal);
  if (!response.ok) throw await problem(response);
  return (await response.json()) as T;
}

/** A piece of a page, which may itself say what went wrong. Throws ProblemError. */
export async function piece(address: string, signal: AbortSignal): Promise<string> {
  const response = await get(address, "text/html, application/problem+json", signal);
  if (!response.headers.get("content-type")?.startsWith("text/html")) throw await problem(response);
  return await response.text();
}

/** Throws ProblemError where an address gives no picture. */
export async function picture(address: string): Promise<void> {
  const response = await get(address, "image/*");
  if (!response.ok) throw await problem(response);
  await createImageBitmap(await response.blob()).catch(() => {
    throw new ProblemError("A tile is no picture: it is damaged. `unitscope verify STORE` says what else is.");
  });
}

async function get(address: string, accept: string, signal?: AbortSignal): Promise<Response> {
  return await fetch(address, { headers: { accept }, ...(signal ? { signal } : {}) }).catch((error: unknown) => {
    if (signal?.aborted) throw error;
    throw new ProblemError("The service does not answer; is it still running?");
  });
}

/** The problem that a response tells of (RFC 9457), or its status where it tells of none. */
export async function problem(response: Response): Promise<ProblemError> {
  const told = (await response.json().catch(() => ({}))) as { detail?: unknown };
  return new ProblemError(
    typeof told.detail === "string" ? told.detail : `The service answered ${response.status} ${response.statusText}.`,
  );
}

/** The words of any error. */
export function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
