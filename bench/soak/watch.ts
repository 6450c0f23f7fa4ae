import { setTimeout as delay } from 'node:timers/promises'
import { join } from 'node:path'
import { samplesOf } from '../../test/support/prometheus.js'
import { start, type BenchServer } from '../server.js'
import type { Probe } from './server.js'

/** A server whose memory can be asked for. */
export interface WatchedServer extends BenchServer {
  /** What it holds now that nobody is connected any more. */
  probe (): Promise<Probe & { namespaces: number, metricsBytes: number }>
}

export async function startWatched (): Promise<WatchedServer> {
  const server = await start(['--expose-gc', '--import', 'tsx', join(import.meta.dirname, 'server.ts')], {})
  const page = async (): Promise<string> => (await fetch(`${server.url}/metrics`)).text()
  const value = (text: string, name: string): number => samplesOf(text).find(sample => sample.name === name)!.value

  return {
    ...server,
    async probe () {
      let text = await page()
      while (value(text, 'dramatis_sessions_active') > 0 || value(text, 'dramatis_namespaces') > 0) {
        await delay(5)
        text = await page()
      }
      const probe = await (await fetch(`${server.url}/probe`)).json() as Probe
      // Digits come and go; what must not grow is the number of lines and what their labels say.
      const metricsBytes = text.replace(/ \S+$/gm, '').replace(/^nodejs_(active|gc)_.*\n/gm, '').length
      return { ...probe, namespaces: value(text, 'dramatis_namespaces'), metricsBytes }
    }
  }
}
