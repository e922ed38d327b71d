/** Resolves in a later turn of the event loop, after timers and I/O had their chance. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
