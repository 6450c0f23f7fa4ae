import type { AddressInfo } from 'node:net'
import Fastify from 'fastify'
import dramatis from '../app.js'
import type { Engines } from '../lib/engines/engine.js'
import { readEnvironment } from '../lib/environment.js'

export interface LocalServer {
  /** Of the socket. */
  url: string
  close (): Promise<void>
}

export interface LocalServerOptions {
  /** The default cast, in place of the environment's. */
  characters?: string | undefined
  /** Whether it can hear and speak; without, it is there at once. */
  speech: boolean
}

/** A server in this process, set by the environment like any other, for one who has none running. */
export async function startLocalServer ({ characters, speech }: LocalServerOptions): Promise<LocalServer> {
  const { options } = readEnvironment({ ...process.env, HOST: '127.0.0.1' })
  const app = Fastify()
  try {
    await app.register(dramatis, {
      ...options,
      ...speech ? {} : silent(),
      apiKeys: [],
      characters: { ...options.characters, ...characters === undefined ? {} : { directory: characters } },
      limits: { ...options.limits, drainSeconds: 0 }
    })
    await app.listen({ host: '127.0.0.1', port: 0 })
  } catch (error) {
    await app.close()
    throw error
  }
  const { port } = app.server.address() as AddressInfo
  return { url: `ws://127.0.0.1:${port}/v1/realtime`, close: () => app.close() }
}

/** Engines of a session that only writes. */
function silent (): Pick<Engines, 'vad' | 'stt' | 'tts'> {
  return {
    vad: { name: 'none', async * detect () {} },
    stt: { name: 'none', async * transcribe () {} },
    tts: { name: 'none', voices: [], async * synthesize () {} }
  }
}
