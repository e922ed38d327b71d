/** The types of the npm package `y-leveldb`, where its own are not found. */
declare module "y-leveldb" {
  export const LeveldbPersistence: unknown;
}
