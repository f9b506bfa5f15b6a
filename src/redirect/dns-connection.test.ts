import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { describe, test } from 'node:test'
import { DnsConnection } from './dns-connection.ts'

async function withServer(
  serve: (socket: Socket) => void,
  act: (address: string) => Promise<void>,
): Promise<void> {
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    serve(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    await act(`127.0.0.1:${(server.address() as AddressInfo).port}`)
  } finally {
    for (const socket of sockets) socket.destroy()
    server.close()
  }
}

describe('a connection to a name server', () => {
  test('answers that come in pieces, or two at once, are told apart', async () => {
    const pieces = ['00', '03aa', 'bbcc0002', 'ddee']
    await withServer(
      socket => {
        socket.on('data', () => {
          const next = pieces.splice(0, 1)
          const rest = pieces.splice(0)
          socket.write(Buffer.from(next.join(''), 'hex'))
          setTimeout(() => socket.write(Buffer.from(rest.join(''), 'hex')), 5)
        })
      },
      async address => {
        const connection = await DnsConnection.open(address, 5000)
        assert.equal((await connection.ask(Buffer.of(1))).toString('hex'), 'aabbcc')
        assert.equal((await connection.ask(Buffer.of(2))).toString('hex'), 'ddee')
        connection.close()
      },
    )
  })

  test('silence, a connection that is cut, and one that is refused', async () => {
    await withServer(
      () => undefined,
      async address => {
        const connection = await DnsConnection.open(address, 50)
        await assert.rejects(connection.ask(Buffer.of(1)), {
          code: 'unreachable',
          message: `the name server "${address}" is not reachable: no answer in time`,
        })
        connection.close()
      },
    )
    let last = ''
    await withServer(
      socket => socket.on('data', () => socket.end(Buffer.of(0))),
      async address => {
        last = address
        const connection = await DnsConnection.open(address, 5000)
        await assert.rejects(connection.ask(Buffer.of(1)), { message: /: connection closed$/ })
        connection.close()
      },
    )
    await assert.rejects(DnsConnection.open(last, 5000), { message: /: connection refused$/ })
  })
})
