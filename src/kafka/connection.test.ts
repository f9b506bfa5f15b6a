// A connection to a port that answers as a broker does, without one.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { describe, test } from 'node:test'
import { createAPI, Writer } from '@platformatic/kafka'
import { BrokerConnection } from './connection.ts'

const API_VERSIONS = 18
const NEEDED = [
  [0, 9, 12],
  [1, 13, 17],
  [2, 7, 7],
  [3, 12, 12],
] as const

const SETTINGS = { cluster: 'made', clientId: 'kdr', connectTimeoutMs: 5_000, requestTimeoutMs: 5_000 }

/** Answers a request with as many bytes as it asks for, each the lowest byte of that number. */
const bytesApi = createAPI(
  1,
  17,
  (count: number) => Writer.create().appendInt32(count),
  (_correlation, _key, _version, reader) => reader.readNullableBytes() ?? Buffer.alloc(0),
)

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

function answer(socket: Socket, request: Buffer): void {
  const correlation = request.subarray(4, 8)
  const body =
    request.readInt16BE(0) === API_VERSIONS
      ? Buffer.concat([
          Buffer.from([0, 0, NEEDED.length + 1]),
          ...NEEDED.map(([key, from, to]) => Buffer.from([0, key, 0, from, 0, to, 0])),
          Buffer.alloc(5),
        ])
      : sized(request.readInt32BE(request.length - 4))
  socket.write(Buffer.concat([int32(correlation.length + body.length), correlation, body]))
}

function sized(count: number): Buffer {
  const length: number[] = []
  let left = count + 1
  for (; left >= 128; left >>>= 7) length.push((left & 127) | 128)
  return Buffer.concat([Buffer.from([0, ...length, left]), Buffer.alloc(count, count & 255)])
}

async function withConnection(act: (connection: BrokerConnection) => Promise<void>): Promise<void> {
  const server = createServer(socket => {
    let pending = Buffer.alloc(0)
    socket.on('error', () => undefined)
    socket.on('data', chunk => {
      pending = Buffer.concat([pending, chunk])
      while (pending.length >= 4 && pending.length >= 4 + pending.readInt32BE()) {
        const end = 4 + pending.readInt32BE()
        answer(socket, pending.subarray(4, end))
        pending = pending.subarray(end)
      }
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const connection = await BrokerConnection.open(SETTINGS, { host: '127.0.0.1', port })
  try {
    await act(connection)
  } finally {
    await connection.close()
    server.close()
  }
}

const SIZES = [5_000_000, 10, 70_000, 3_000_001, 1, 200_000, 65_536, 2_000_000]

const assertIs = (bytes: Buffer, count: number): void =>
  assert.ok(bytes.equals(Buffer.alloc(count, count & 255)), `${count} bytes`)

describe('a call for a large answer', () => {
  test('gives what was sent, and gives back the memory that it came in', async t => {
    const given = t.mock.method(ArrayBuffer.prototype, 'transfer')
    await withConnection(async connection => {
      for (const count of SIZES) assertIs(await connection.callAlone(bytesApi, each => [each], count), count)
    })
    assert.ok(given.mock.callCount() > 10, `${given.mock.callCount()} pieces`)
  })

  test('lets those alone that are under way beside it', async () => {
    await withConnection(async connection => {
      const answers = await Promise.all(
        SIZES.map(async (count, i) =>
          i % 2 === 0
            ? await connection.callAlone(bytesApi, each => [each], count)
            : await connection.call(bytesApi, count),
        ),
      )
      for (const [i, count] of SIZES.entries()) assertIs(answers[i]!, count)
      assertIs(await connection.callAlone(bytesApi, each => [each], 100_000), 100_000)
    })
  })
})
