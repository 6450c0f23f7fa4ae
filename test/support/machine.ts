import { once } from 'node:events'
import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { Test } from 'tap'
import { TestClient } from './client.js'
import { idOf, type Answer } from './fleet.js'
import { ServerProcess } from './process.js'
import { childrenOf } from './processes.js'
import { moduleFile } from './program.js'
import { samplesOf } from './prometheus.js'
import { until } from './until.js'

/** A server of two session processes behind one port, ended with the test. */
export class Machine {
  readonly #t: Test
  readonly #key: string
  readonly #secure: boolean
  readonly #opened = new Map<string, number>()
  #read = 0
  readonly server: ServerProcess
  readonly port: number

  private constructor (t: Test, server: ServerProcess, port: number, key: string, secure: boolean) {
    this.#t = t
    this.#key = key
    this.#secure = secure
    this.server = server
    this.port = port
  }

  /** @param key what it is asked with, unless another is named */
  static async start (t: Test, environment: Record<string, string>, key = ''): Promise<Machine> {
    const server = ServerProcess.start(t, { WORKERS: '2', ...environment })
    return new Machine(t, server, await server.port(), key, 'TLS_CERT' in environment)
  }

  get url (): string {
    return `${this.#secure ? 'wss' : 'ws'}://127.0.0.1:${this.port}/v1/realtime`
  }

  async connect (key = this.#key, query = ''): Promise<TestClient> {
    const client = await TestClient.connect(this.url + query, [], { headers: authorized(key), rejectUnauthorized: false })
    this.#t.teardown(() => client.socket.terminate())
    return client
  }

  async connectMany (count: number): Promise<TestClient[]> {
    return await Promise.all(Array.from({ length: count }, () => this.connect()))
  }

  /** One session in each process, by the numbers of these: as many as are needed, of which the others close again. */
  async connectBoth (key?: string, query?: string): Promise<[TestClient, TestClient]> {
    const found = new Map<string, TestClient>()
    const rest: TestClient[] = []
    while (found.size < 2) {
      const client = await this.connect(key, query)
      const node = await this.nodeOf(client)
      if (found.has(node)) rest.push(client)
      else found.set(node, client)
    }
    for (const client of rest) await client.close()
    const [one, two] = [...found].sort(([a], [b]) => a < b ? -1 : 1)
    return [one![1], two![1]]
  }

  /** Over a connection of its own, which the process with fewest sessions is given. */
  async ask (method: string, path: string, body?: object): Promise<Answer> {
    const asked = (this.#secure ? requestHttps : requestHttp)({
      port: this.port,
      method,
      path,
      agent: false,
      rejectUnauthorized: false,
      headers: { ...authorized(this.#key), ...body === undefined ? {} : { 'content-type': 'application/json' } }
    })
    asked.end(body === undefined ? undefined : JSON.stringify(body))
    const [response] = await once(asked, 'response')
    let text = ''
    for await (const chunk of response) text += chunk
    return { status: response.statusCode, body: response.headers['content-type'].includes('json') ? JSON.parse(text) : text }
  }

  readiness (): Promise<Answer> {
    return this.ask('GET', '/health/ready')
  }

  /** Values of a metric, of those with these labels. */
  async metric (name: string, labels: Record<string, string> = {}): Promise<number[]> {
    const samples = samplesOf((await this.ask('GET', '/metrics')).body)
    return samples.filter(sample => sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value)).map(({ value }) => value)
  }

  async sessions (): Promise<any[]> {
    return (await this.ask('GET', '/v1/sessions')).body.data
  }

  async nodes (): Promise<any[]> {
    return (await this.ask('GET', '/v1/nodes')).body.data
  }

  async nodeOf (client: TestClient): Promise<string> {
    return (await this.sessions()).find(({ id }) => id === idOf(client)).node
  }

  /** Process that has a client's session; of one that was taken up, the last. */
  async pidOf (client: TestClient): Promise<number> {
    await until(() => this.#holders.has(idOf(client)))
    return this.#holders.get(idOf(client))!
  }

  async pidsOf (clients: readonly TestClient[]): Promise<number[]> {
    return await Promise.all(clients.map(client => this.pidOf(client)))
  }

  get workers (): number[] {
    return childrenOf(this.server.child.pid!, moduleFile('worker'))
  }

  /** The process that has the local engines. */
  get engines (): number[] {
    return childrenOf(this.server.child.pid!, moduleFile('lib/workers/engine-entry'))
  }

  /** Process of each session there was, by id. */
  get #holders (): Map<string, number> {
    const end = this.server.output.lastIndexOf('\n') + 1
    for (const [line] of this.server.output.slice(this.#read, end).matchAll(/^.*"msg":"session opened".*$/gm)) {
      const { pid, session } = JSON.parse(line) as { pid: number, session: string }
      this.#opened.set(session, pid)
    }
    this.#read = end
    return this.#opened
  }
}

function authorized (key: string): Record<string, string> {
  return key === '' ? {} : { authorization: `Bearer ${key}` }
}
