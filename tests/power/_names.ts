/** The names on a disk that can lose its power. A name that its directory was not synced for may be
 * lost, or a removed one may be back.
 */

import type { DiskFile } from "./_file.ts";

/** What a name stands for. */
export type Node = DiskFile | DiskDirectory;

/** A directory. */
export class DiskDirectory {
  /** Names as a program sees them. */
  readonly seen = new Map<string, Node>();
  /** Names that survive in any case. */
  readonly durable = new Map<string, Node>();
}

/** A name that comes to stand for something, or goes. */
interface Step {
  readonly directory: DiskDirectory;
  readonly name: string;
  readonly node: Node | undefined;
  /** What the name stood for. */
  readonly before: Node | undefined;
}

/** A change of names, done by one call: on disk as a whole or not at all. */
export type NameChange = readonly Step[];

/** Names of directories, by the steps that they were chosen to have. */
export type NamesOf = (directory: DiskDirectory) => ReadonlyMap<string, Node>;

/** The changes of all names on a disk. */
export class Names {
  /** What may survive, in order. */
  readonly pending: NameChange[] = [];

  /** Changes what names stand for. */
  change(...changes: [directory: DiskDirectory, name: string, node: Node | undefined][]): void {
    const steps = changes.map(([directory, name, node]) => {
      const step = { directory, name, node, before: directory.seen.get(name) };
      take(directory.seen, step);
      return step;
    });
    this.pending.push(steps);
  }

  /** Returns what a sync of a directory covers that begins now. What moves between directories is
   * covered by a sync of the one that it moves to.
   */
  covered(directory: DiskDirectory): NameChange[] {
    return this.pending.filter((steps) => steps.at(-1)!.directory === directory);
  }

  /** A sync has succeeded. */
  settle(covered: readonly NameChange[]): void {
    for (const steps of covered) {
      const index = this.pending.indexOf(steps);
      if (index < 0) continue;
      this.pending.splice(index, 1);
      for (const step of steps) take(step.directory.durable, step);
    }
  }

  /** Returns the names that there are when only some changes have reached the disk. */
  after(survivors: readonly NameChange[]): NamesOf {
    const changed = new Map<DiskDirectory, Map<string, Node>>();
    for (const step of survivors.flat()) {
      let names = changed.get(step.directory);
      if (names === undefined) {
        names = new Map(step.directory.durable);
        changed.set(step.directory, names);
      }
      take(names, step);
    }
    return (directory) => changed.get(directory) ?? directory.durable;
  }
}

function take(names: Map<string, Node>, { name, node, before }: Step): void {
  if (node !== undefined) names.set(name, node);
  // Where a later file has taken the name, an earlier removal is over.
  else if (names.get(name) === before) names.delete(name);
}
