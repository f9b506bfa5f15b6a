// The server.properties of a lab broker, as data. Everything listens on 127.0.0.1 only, and every key can be overridden.

export type Security = 'none' | 'acl'

/** `line`: a listener of its own, and the port that it advertises instead: that of a line to it (line.ts). */
export type NodeAddress = {
  readonly id: number
  readonly port: number
  readonly controllerPort: number
  readonly line?: { readonly port: number; readonly advertisedPort: number }
  readonly listeners?: readonly Listener[]
}

/** Besides the lab's own: what it demands is up to `listener.name.NAME...` of the properties. It advertises `localhost`. */
export type Listener = { readonly name: string; readonly protocol: ListenerProtocol; readonly port: number }
export type ListenerProtocol = 'SSL' | 'SASL_SSL' | 'SASL_PLAINTEXT'

/** Users of a cluster with `security: 'acl'` and their passwords. `admin` is the super user; the others start without any ACL. */
export const LAB_USERS = { admin: 'admin-secret', kdr: 'kdr-secret', app: 'app-secret' } as const

export type BrokerSpec = {
  readonly node: NodeAddress
  readonly nodes: readonly NodeAddress[]
  readonly logDir: string
  readonly security: Security
  readonly extra: Readonly<Record<string, string>>
}

/**
 * All three nodes of a cluster of three vote, so that it survives the loss of one. With two a vote could not be lost
 * either way, so there only the first is a controller: the second may go, the first may not.
 */
export function votersOf(nodes: readonly NodeAddress[]): readonly NodeAddress[] {
  return nodes.length >= 3 ? nodes : nodes.slice(0, 1)
}

export function brokerProperties({ node, nodes, logDir, security, extra }: BrokerSpec): Map<string, string> {
  const voters = votersOf(nodes)
  const isController = voters.some(voter => voter.id === node.id)
  const protocol = security === 'acl' ? 'SASL_PLAINTEXT' : 'PLAINTEXT'
  const listeners = [`${protocol}://127.0.0.1:${node.port}`]
  if (isController) listeners.push(`CONTROLLER://127.0.0.1:${node.controllerPort}`)
  const advertised = [`${protocol}://127.0.0.1:${node.port}`]
  if (node.line !== undefined) {
    listeners.push(`LINE://127.0.0.1:${node.line.port}`)
    // A name, so that tests can say where it leads.
    advertised.push(`LINE://localhost:${node.line.advertisedPort}`)
  }
  for (const { name, port } of node.listeners ?? []) {
    listeners.push(`${name.toUpperCase()}://127.0.0.1:${port}`)
    advertised.push(`${name.toUpperCase()}://localhost:${port}`)
  }
  const others = (node.listeners ?? []).map(each => `,${each.name.toUpperCase()}:${each.protocol}`).join('')
  const replicas = String(Math.min(3, nodes.length))
  const inSync = nodes.length >= 3 ? '2' : '1'
  return new Map(
    Object.entries({
      'process.roles': isController ? 'broker,controller' : 'broker',
      'node.id': String(node.id),
      'controller.quorum.voters': voters
        .map(({ id, controllerPort }) => `${id}@127.0.0.1:${controllerPort}`)
        .join(','),
      listeners: listeners.join(','),
      'advertised.listeners': advertised.join(','),
      'controller.listener.names': 'CONTROLLER',
      'listener.security.protocol.map': `CONTROLLER:${protocol},LINE:${protocol},${protocol}:${protocol}${others}`,
      'inter.broker.listener.name': protocol,
      'log.dirs': logDir,
      'auto.create.topics.enable': 'false',
      'default.replication.factor': replicas,
      'min.insync.replicas': inSync,
      'offsets.topic.replication.factor': replicas,
      'offsets.topic.num.partitions': '5',
      'transaction.state.log.replication.factor': replicas,
      'transaction.state.log.min.isr': inSync,
      'transaction.state.log.num.partitions': '5',
      'share.coordinator.state.topic.replication.factor': replicas,
      'share.coordinator.state.topic.min.isr': inSync,
      'share.coordinator.state.topic.num.partitions': '5',
      'group.initial.rebalance.delay.ms': '0',
      // A killed broker is noticed in 4 s instead of 9, and one that starts again waits no longer.
      'broker.session.timeout.ms': '4000',
      'broker.heartbeat.interval.ms': '1000',
      ...(security === 'acl' ? aclProperties() : {}),
      ...extra,
    }),
  )
}

function aclProperties(): Record<string, string> {
  const users = Object.entries(LAB_USERS).map(([name, password]) => `user_${name}="${password}"`)
  const login = `username="admin" password="${LAB_USERS.admin}" ${users.join(' ')}`
  const jaas = `org.apache.kafka.common.security.plain.PlainLoginModule required ${login};`
  return {
    'sasl.enabled.mechanisms': 'PLAIN',
    'sasl.mechanism.inter.broker.protocol': 'PLAIN',
    'sasl.mechanism.controller.protocol': 'PLAIN',
    'listener.name.sasl_plaintext.plain.sasl.jaas.config': jaas,
    'listener.name.controller.plain.sasl.jaas.config': jaas,
    'listener.name.line.plain.sasl.jaas.config': jaas,
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users': 'User:admin',
    'allow.everyone.if.no.acl.found': 'false',
  }
}

export function writeProperties(properties: ReadonlyMap<string, string>): string {
  return [...properties].map(([key, value]) => `${key}=${value.replaceAll('\\', '\\\\')}\n`).join('')
}
