import { test } from "node:test";
import { assertEquals, assertStringIncludes } from "@std/assert";
import { missingMetadata, refusalOf } from "../../scripts/require_metadata.ts";

const WHOLE = {
  repository: { type: "git", url: "git+https://example.com/store.git" },
  homepage: "https://example.com/store",
  bugs: { url: "https://example.com/store/issues" },
};

test("a package is published once it says where it comes from", () => {
  assertEquals(refusalOf(WHOLE), undefined);
  assertEquals(refusalOf({ ...WHOLE, repository: "https://example.com/store" }), undefined);
});

test("a package that leaves an address out is refused, and the message names it", () => {
  for (const name of Object.keys(WHOLE)) {
    for (const empty of [undefined, null, "", {}, { url: "" }]) {
      assertEquals(missingMetadata({ ...WHOLE, [name]: empty }), [name]);
    }
  }
  assertStringIncludes(refusalOf({})!, "no repository, no homepage, no bugs; see CONTRIBUTING.md");
});
