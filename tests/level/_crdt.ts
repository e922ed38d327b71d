/** Types of what the tests use of `y-leveldb`, whose own name another version of Level. */
export interface Persistence {
  storeUpdate(name: string, update: Uint8Array): Promise<number>;
  getYDoc(name: string): Promise<import("yjs").Doc>;
  getStateVector(name: string): Promise<Uint8Array>;
  flushDocument(name: string): Promise<void>;
  clearDocument(name: string): Promise<void>;
  setMeta(name: string, key: string, value: unknown): Promise<void>;
  getMeta(name: string, key: string): Promise<unknown>;
  getAllDocNames(): Promise<string[]>;
  destroy(): Promise<void>;
}
