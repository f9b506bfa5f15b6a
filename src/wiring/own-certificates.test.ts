import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { makeAuthority, skipWithoutOpenssl } from '../../test/support/certificates.ts'
import { type ClusterConfig, SecretRef } from '../config/index.ts'
import { ownCertificates } from './own-certificates.ts'

describe('the certificates that the config names', { skip: skipWithoutOpenssl }, () => {
  const [old, young] = [makeAuthority('old authority'), makeAuthority('young authority')]
  const own = old.issue('kdr')
  const seen = async (tls: { readonly ca: string; readonly cert?: string }) => {
    const secret = (text: string) => SecretRef.parse(text, '.')
    const { certificates, notSeen } = await ownCertificates({
      name: 'east',
      tls: { ca: secret(tls.ca), cert: tls.cert === undefined ? undefined : secret(tls.cert) },
    } as ClusterConfig)
    return { subjects: certificates.map(({ subject }) => subject), notSeen }
  }

  test('are judged one by one, whatever stands between them', async () => {
    const { subjects, notSeen } = await seen({
      ca: `# before\n${old.ca}# between\n${young.ca}`,
      cert: `${own.key}${own.cert}${old.ca}`,
    })
    assert.deepEqual(subjects, ['CN=kdr', 'CN=old authority', 'CN=old authority', 'CN=young authority'])
    assert.deepEqual(notSeen, [])
  })

  test('one that is cut off: the others are judged, and it is told', async () => {
    const { subjects, notSeen } = await seen({ ca: `${old.ca}${young.ca.slice(0, 100)}` })
    assert.deepEqual(subjects, ['CN=old authority'])
    assert.deepEqual(
      notSeen.map(({ where, what }) => [where, what]),
      [['cluster:east', '`tls.ca` of the config']],
    )
  })

  test('no certificate at all, or no file, is told', async () => {
    for (const ca of ['no PEM', 'file:nowhere.pem']) assert.equal((await seen({ ca })).notSeen.length, 1, ca)
  })
})
