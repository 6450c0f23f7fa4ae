import { cached } from '../cached.js'
import type { Engine, Engines } from './engine.js'

const TTL_MS = 5000
const TIMEOUT_MS = 2000

export type Health = Record<'stt' | 'llm' | 'tts', boolean>

/** Asks the engines whether they could serve; the answer is kept for five seconds, and asked for once at a time. */
export function createHealthCheck (engines: Engines): () => Promise<Health> {
  return cached(TTL_MS, () => ask(engines))
}

async function ask ({ stt, llm, tts }: Engines): Promise<Health> {
  const [a, b, c] = await Promise.all([isUp(stt), isUp(llm), isUp(tts)])
  return { stt: a, llm: b, tts: c }
}

async function isUp (engine: Engine): Promise<boolean> {
  const signal = AbortSignal.timeout(TIMEOUT_MS)
  const late = new Promise<never>((resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
  const asked = async () => { await engine.check?.(signal) }
  return Promise.race([asked(), late]).then(() => true, () => false)
}
