// Tries to open the store that is named, and says what comes of it.

import process from "node:process";
import { HybridStore, type StoreError } from "../../mod.ts";

try {
  const store = await HybridStore.open(process.argv[2]!);
  console.log("opened");
  await store.close();
} catch (error) {
  const { code, message } = error as StoreError;
  console.log(`${code} by ${/process (\d+)/.exec(message)?.[1]}`);
}
