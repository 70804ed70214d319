/** Asking the service: JSON answers, and problems as errors that say why. */

/** What the service says went wrong, in a sentence for a person. */
export class ProblemError extends Error {}

/** The JSON of an address. Throws ProblemError with the service's own words. */
export async function ask<T>(address: string, signal?: AbortSignal): Promise<T> {
  const response = await fetch(address, signal ? { signal } : {}).catch((error: unknown) => {
    if (signal?.aborted) throw error;
    throw new ProblemError("The service does not answer; is it still running?");
  });
  if (!response.ok) throw await problem(response);
  return (await response.json()) as T;
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
