// Java's own Kafka clients as the judge of kdr; the demo uses them too, so they live in the lab.

export * from '../../src/lab/judge.ts'
