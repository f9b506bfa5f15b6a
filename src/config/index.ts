// What the rest of kdr may use of the config. Load it lazily: the schema is the slowest import of `kdr --help`.

export type {
  ClusterConfig,
  Config,
  ConfigNote,
  LinkConfig,
  PlanConfig,
  RedirectConfig,
  SaslConfig,
  SetConfig,
  ServerConfig,
  TlsConfig,
  VaultConfig,
} from './config.ts'
export { type AclTask, type ClusterAcls, planAclsOf } from './needed-acls.ts'
export { explainConfig, type Explained } from './explain.ts'
export { draftConfig, draftLink, unseenSentences } from './draft.ts'
export type { InspectedCluster, InspectedGroup, InspectedTopic, Unseen } from './inspected.ts'
export { configJsonSchema } from './json-schema.ts'
export { loadConfig, parseConfig, readConfigText } from './load.ts'
export { principalOf } from './principal.ts'
export { resolveSecret, SecretRef } from './secrets.ts'
