import { setTimeout as wait } from 'node:timers/promises'

/** Resolves as soon as a condition holds that nobody tells of; the test's timeout is its end. */
export async function until (condition: () => boolean): Promise<void> {
  while (!condition()) await wait(2)
}
