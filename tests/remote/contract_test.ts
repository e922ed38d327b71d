import type { OrderedStore } from "../../mod.ts";
import { REMOTE_KEY_BYTES_MAX } from "../../remote/mod.ts";
import { contractSuite } from "../contract/suite.ts";
import { remoteServers } from "./_servers.ts";

const servers = remoteServers();
const { skip } = servers.options;
const OPTIONS = { valueBytesMax: 16 * 1024 * 1024, poolSize: 6 };

contractSuite("RemoteStore", () => servers.open(OPTIONS), { namesConflicts: false }, skip);

/** A part of a store that has other keys around it; closing it closes the store. */
async function makePart(): Promise<OrderedStore> {
  const store = await servers.open(OPTIONS);
  for (const key of ["part", "part.", "part0", "z"]) await store.put(key, "another's");
  const part = store.sub("part/");
  const close = async () => {
    await part.constructor.prototype.close.call(part);
    await store.close();
  };
  return Object.assign(part, { close, [Symbol.asyncDispose]: close });
}

contractSuite("RemotePart", makePart, {
  hasEmptyKey: true,
  namesConflicts: false,
  keyBytesMax: REMOTE_KEY_BYTES_MAX - "part/".length,
}, skip);
