import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Line, openLine } from './line.ts'

let server: Server
let line: Line
let accepted: Socket[]
let clients: Socket[]

beforeEach(async () => {
  accepted = []
  clients = []
  server = createServer(socket => {
    accepted.push(socket.on('error', () => {}))
    // An echo.
    socket.on('data', (bytes: Buffer) => socket.write(bytes))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  line = await openLine({ to: endOf(server) })
})

afterEach(async () => {
  for (const socket of [...clients, ...accepted]) socket.destroy()
  await line.close()
  server.close()
})

const endOf = (of: Server) => ({ host: '127.0.0.1', port: (of.address() as AddressInfo).port })

type Client = {
  readonly socket: Socket
  readonly read: (bytes: number) => Promise<Buffer>
  readonly pieces: Buffer[]
}

async function client(): Promise<Client> {
  const socket = connect({ port: line.port, host: '127.0.0.1', noDelay: true }).on('error', () => {})
  clients.push(socket)
  const pieces: Buffer[] = []
  socket.on('data', (bytes: Buffer) => pieces.push(bytes))
  await once(socket, 'connect')
  const read = async (count: number): Promise<Buffer> => {
    const hasCome = () => pieces.reduce((sum, piece) => sum + piece.length, 0) >= count
    while (!hasCome()) await once(socket, 'data')
    return Buffer.concat(pieces)
  }
  return { socket, read, pieces }
}

test('bytes pass as they are, in order, and so does the end', async () => {
  const { socket, read } = await client()
  const sent = Buffer.from(Array.from({ length: 300_000 }, (_, i) => i % 251))
  socket.write(sent)

  assert.ok((await read(sent.length)).equals(sent))
  const ended = closed(socket)
  accepted[0]?.end()
  await ended
})

test('a delay holds each direction for as long', async () => {
  line.shape({ delayMs: 60 })
  const { socket, read } = await client()
  const begun = performance.now()
  socket.write('hello')

  assert.equal((await read(5)).toString(), 'hello')
  assert.ok(performance.now() - begun >= 118, `${performance.now() - begun} ms`)
})

test('a window lets so many bytes travel per round trip', async () => {
  // 10 windows up; each waits for its acknowledgement, 40 ms after it left.
  line.shape({ delayMs: 20, windowBytes: 1_000 })
  const { socket, read } = await client()
  const begun = performance.now()
  socket.write(Buffer.alloc(10_000, 7))

  assert.equal((await read(10_000)).length, 10_000)
  assert.ok(performance.now() - begun >= 9 * 40, `${performance.now() - begun} ms`)
})

test('pieces arrive one by one', async () => {
  line.shape({ pieceBytes: 1 })
  const { socket, read } = await client()
  socket.write('0123456789')

  assert.equal((await read(10)).toString(), '0123456789')
})

test('of megabytes that wait, a line of single bytes passes the first at once, and the rest when it is healed', async () => {
  const { read } = await client()
  line.shape({ pieceBytes: 1 })
  while (accepted.length === 0) await sleep(5)
  const sent = Buffer.alloc(2_000_000, 7)
  const begun = performance.now()
  accepted[0]?.write(sent)

  await read(1_000)
  // All of it cut at once kept the process busy for 15 s.
  assert.ok(performance.now() - begun < 8_000, `${performance.now() - begun} ms`)
  line.shape({ pieceBytes: Infinity })
  assert.equal((await read(sent.length)).length, sent.length)
})

test('a cut loses nothing, sends no RST, and ends with heal', async () => {
  const { socket, read, pieces } = await client()
  socket.write('a')
  await read(1)
  line.cut()
  socket.write('b')
  const late = await client()
  late.socket.write('c')
  await sleep(80)
  assert.equal(pieces.length, 1)
  assert.equal(late.pieces.length, 0)
  assert.equal(socket.destroyed, false)

  line.heal()
  assert.equal((await read(2)).toString(), 'ab')
  assert.equal((await late.read(1)).toString(), 'c')
})

test('a cut of one direction: what is sent arrives, and nobody hears of it', async () => {
  const { socket, read, pieces } = await client()
  socket.write('a')
  await read(1)
  line.cut('down')
  const [heard] = accepted
  assert.ok(heard !== undefined)
  const arrived = once(heard, 'data')
  socket.write('b')
  assert.equal(String((await arrived)[0]), 'b')
  await sleep(50)
  assert.equal(pieces.length, 1)

  line.heal()
  assert.equal((await read(2)).toString(), 'ab')
})

/** `once` would reject with the ECONNRESET that is wanted. */
function closed(socket: Socket): Promise<void> {
  return new Promise(resolve => socket.once('close', () => resolve()))
}

test('reset, lead elsewhere, and a tap', async () => {
  const other = createServer(socket => void socket.end('other'))
  other.listen(0, '127.0.0.1')
  await once(other, 'listening')
  const first = await client()
  const gone = closed(first.socket)
  line.reset()
  await gone
  line.lead(endOf(other))
  const second = await client()
  assert.equal((await second.read(5)).toString(), 'other')
  other.close()

  line.lead(endOf(server))
  line.tap((direction, bytes) => (direction === 'down' ? Buffer.from(bytes.toString().toUpperCase()) : bytes))
  const third = await client()
  third.socket.write('shout')
  assert.equal((await third.read(5)).toString(), 'SHOUT')

  line.tap(direction => (direction === 'down' ? 'reset' : Buffer.from('x')))
  const ended = closed(third.socket)
  third.socket.write('bye')
  await ended
})
