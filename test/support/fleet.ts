import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import type { Test } from 'tap'
import type { DramatisOptions } from '../../app.js'
import { packageRoot } from '../../lib/package-root.js'
import { TestClient } from './client.js'
import { moduleFile, supportProgram } from './program.js'

export interface Answer { status: number, body: any }

/** A server of a fleet in a process of its own, ended with the test. */
export class FleetNode {
  readonly url: string
  readonly child: ChildProcess
  readonly #t: Test
  readonly #key: string | undefined
  readonly #clients: TestClient[] = []

  private constructor (t: Test, url: string, child: ChildProcess, key: string | undefined) {
    this.#t = t
    this.url = url
    this.child = child
    this.#key = key
  }

  /** @param clockMs how far its clock is ahead of the others' */
  static async start (t: Test, options: DramatisOptions, key?: string, clockMs = 0): Promise<FleetNode> {
    const child = spawn(process.execPath, [
      ...supportProgram('fleet-node'),
      JSON.stringify({ ...options, app: pathToFileURL(moduleFile('app')).href, clockMs, limits: { drainSeconds: 0, ...options.limits } })
    ], { cwd: packageRoot, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    const gone = once(child, 'close')
    t.teardown(async () => {
      child.kill('SIGKILL')
      await gone
    })
    const url = await new Promise<string>((resolve, reject) => {
      child.stdout.on('data', chunk => {
        output += chunk
        const match = /listens on (http\S+)/.exec(output)
        if (match !== null) resolve(match[1]!)
      })
      child.stderr.on('data', chunk => { output += chunk })
      gone.then(() => reject(new Error(`The server did not start:\n${output}`)), reject)
    })
    return new FleetNode(t, url, child, key)
  }

  get socketUrl (): string {
    return `${this.url.replace('http', 'ws')}/v1/realtime`
  }

  /** Connects, with the node's key or another; closed with the test. */
  async connect (key = this.#key, query = ''): Promise<TestClient> {
    const client = await TestClient.connect(this.socketUrl + query, [], { headers: this.headers(key) })
    this.#t.teardown(() => client.socket.terminate())
    this.#clients.push(client)
    return client
  }

  /** Its clients say goodbye, as far as they are there. */
  async leave (): Promise<void> {
    await Promise.all(this.#clients.splice(0).map(client => client.close()))
  }

  headers (key = this.#key): Record<string, string> {
    return key === undefined ? {} : { authorization: `Bearer ${key}` }
  }

  async get (path: string): Promise<Answer> {
    const response = await fetch(this.url + path, { headers: this.headers() })
    return { status: response.status, body: await response.json() }
  }

  async post (path: string, body?: object): Promise<Answer> {
    const response = await fetch(this.url + path, {
      method: 'POST',
      headers: { ...this.headers(), ...body === undefined ? {} : { 'content-type': 'application/json' } },
      ...body === undefined ? {} : { body: JSON.stringify(body) }
    })
    return { status: response.status, body: await response.json() }
  }

  /** Sessions of the fleet as this node lists them: node by id. */
  async directory (): Promise<Map<string, string>> {
    const found = new Map<string, string>()
    let next: string | null = ''
    do {
      const { body }: Answer = await this.get(`/v1/sessions?limit=50${next === '' ? '' : `&after=${encodeURIComponent(next)}`}`)
      for (const { id, node } of body.data) found.set(id, node)
      next = body.next
    } while (next !== null)
    return found
  }

  async status (): Promise<string> {
    return (await this.get('/health/ready')).body.status
  }

  async metric (name: string): Promise<number> {
    const text = await (await fetch(`${this.url}/metrics`)).text()
    return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1])
  }
}

/** Resolves when something that has to be asked for holds; the test's timeout is its end. */
export async function eventually (holds: () => Promise<boolean>): Promise<void> {
  while (!await holds()) await wait(20)
}

/** Id of a client's session. */
export function idOf (client: TestClient): string {
  return client.of('session.created')[0]!.session.id!
}
