// How full the disks of the brokers are (DescribeLogDirs, KIP-827), of each log directory that a broker can still use.
import { describeLogDirsV4 } from '@platformatic/kafka'
import { KafkaCode } from '../model/kafka-codes.ts'
import type { LogDirView } from '../ports/cluster.ts'
import { allDone, type ClusterContext } from './context.ts'

export async function readLogDirs(context: ClusterContext): Promise<LogDirView[]> {
  const brokers = context.view().brokers.map(({ id }) => id)
  return (await allDone(brokers.map(async broker => await readOf(context, broker)))).flat()
}

async function readOf(context: ClusterContext, broker: number): Promise<LogDirView[]> {
  const connection = await context.pool.control(broker)
  connection.versions.need('DescribeLogDirs')
  // Of no topic: what each of them takes up is not asked for.
  const answer = await connection.call(describeLogDirsV4.api, [])
  if (answer.errorCode !== KafkaCode.NONE)
    return [{ broker, code: answer.errorCode, path: '', totalBytes: -1, usableBytes: -1 }]
  return answer.results.map(({ errorCode, logDir, totalBytes, usableBytes }) => ({
    broker,
    code: errorCode,
    path: logDir,
    totalBytes: Number(totalBytes),
    usableBytes: Number(usableBytes),
  }))
}
