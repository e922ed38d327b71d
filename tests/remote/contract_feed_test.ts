import { contractSuite } from "../contract/suite.ts";
import { remoteServers } from "./_servers.ts";

const servers = remoteServers();

contractSuite(
  "RemoteStore with a change feed",
  () => servers.open({ valueBytesMax: 16 * 1024 * 1024, poolSize: 6, changes: true }),
  { namesConflicts: false },
  servers.options.skip,
);
