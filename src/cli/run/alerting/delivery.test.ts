import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimClock } from '../../../../test/sim/clock.ts'
import type { Notification } from '../../../api/alerts/notification.ts'
import { KdrError } from '../../../model/errors.ts'
import { commandInput } from './command-input.ts'
import { Delivery, MAX_WAITING } from './delivery.ts'

const notification = (index: number): Notification =>
  ({
    status: 'firing',
    groupLabels: { alertname: 'KdrDiverged', link: `l${index}` },
  }) as unknown as Notification

test('what waits is bounded: the oldest goes, and the log says which', async () => {
  const clock = new SimClock(0)
  const log: string[] = []
  const sent: string[] = []
  let isDown = true
  const delivery = new Delivery({
    what: 'the webhook',
    send: ({ groupLabels }) => {
      if (isDown) return Promise.reject(new KdrError('unreachable', 'no'))
      sent.push(groupLabels['link'] ?? '')
      return Promise.resolve()
    },
    clock,
    log: { event: (_level, message) => void log.push(message) },
  })
  const stopping = new AbortController()
  const ended = delivery.run(stopping.signal)
  for (let i = 0; i < MAX_WAITING + 2; i++) delivery.add(notification(i))
  assert.equal(delivery.isIdle, false)
  await clock.run(() => clock.monotonic() > 10_000, Infinity)
  assert.deepEqual(log.slice(0, 2), [
    'the webhook was not told of KdrDiverged of link "l0" (firing): too many wait',
    'the webhook was not told of KdrDiverged of link "l1" (firing): too many wait',
  ])
  isDown = false
  await clock.run(() => delivery.isIdle, Infinity)
  assert.ok(clock.monotonic() < 300_000)
  assert.deepEqual([sent.length, sent[0], sent.at(-1)], [MAX_WAITING, 'l2', `l${MAX_WAITING + 1}`])
  stopping.abort()
  await ended
})

test('one that is not taken for an hour is given up, so that the next gets its chance', async () => {
  const clock = new SimClock(0)
  const log: string[] = []
  const delivery = new Delivery({
    what: 'the command',
    send: ({ groupLabels }) =>
      groupLabels['link'] === 'l0'
        ? Promise.reject(new KdrError('not-ready', 'it ended with 1'))
        : Promise.resolve(),
    clock,
    log: { event: (_level, message) => void log.push(message) },
  })
  void delivery.run(new AbortController().signal)
  delivery.add(notification(0))
  delivery.add(notification(1))
  await clock.run(() => delivery.isIdle, Infinity)
  assert.ok(clock.monotonic() > 3_600_000)
  assert.deepEqual(log, [
    'the command cannot be told of alerts: it ended with 1; trying again',
    'the command was not told of KdrDiverged of link "l0" (firing): it ended with 1',
    'the command is told of alerts again',
  ])
})

test('a command is started whatever a group is called', () => {
  const alert = {
    labels: {},
    annotations: { summary: 'group a\0b has stopped', description: '' },
    fingerprint: 'f',
  }
  const groupLabels = { alertname: 'KdrGroupStopped', cluster: 'c\0' }
  const { env } = commandInput({
    status: 'firing',
    groupLabels,
    alerts: [alert],
    truncatedAlerts: 0,
  } as unknown as Notification)
  assert.deepEqual([env['KDR_SUMMARY'], env['KDR_CLUSTER']], ['group ab has stopped', 'c'])
})

test('a command gets the facts of the first alert, and how many more there are', () => {
  const alert = {
    labels: { alertname: 'KdrBackupStale', severity: 'page', set: 'all' },
    annotations: { summary: 'set all is late', description: 'look' },
    fingerprint: 'f1',
  }
  const given = {
    status: 'firing',
    groupLabels: { alertname: 'KdrBackupStale', set: 'all' },
    alerts: [alert, alert],
    truncatedAlerts: 3,
  } as unknown as Notification
  const { env, stdin } = commandInput(given)
  assert.deepEqual(env, {
    KDR_ALERT: 'KdrBackupStale',
    KDR_STATUS: 'firing',
    KDR_SEVERITY: 'page',
    KDR_SUMMARY: 'set all is late (and 4 more)',
    KDR_DESCRIPTION: 'look',
    KDR_FINGERPRINT: 'f1',
    KDR_SET: 'all',
  })
  assert.deepEqual(JSON.parse(stdin), given)
})
