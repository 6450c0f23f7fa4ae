import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { parseAllDocuments } from 'yaml'
import { Environment } from '../../lib/environment.js'
import { packageRoot } from '../../lib/package-root.js'
import { freePort } from '../support/free-port.js'
import { startServer } from '../support/server.js'

const read = (name: string) => readFileSync(join(packageRoot, 'deploy', name), 'utf8')
const { scripts, engines } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8'))
/** What server.ts lets the shutdown take after the drain, in seconds. */
const CLOSE_SECONDS = Number(/CLOSE_MS = (\d+)/.exec(readFileSync(join(packageRoot, 'server.ts'), 'utf8'))![1]) / 1000

t.test('the service starts what npm start does, and is given time to drain', async t => {
  const unit = Object.fromEntries([...read('dramatis.service').matchAll(/^(\w+)=(.*)$/gm)].map(([, key = '', value = '']) => [key, value]))
  t.equal(unit.ExecStart, `/usr/bin/${scripts.start}`)
  t.ok(Number(unit.TimeoutStopSec) > 20 + CLOSE_SECONDS)
})

t.test('the service is one that systemd takes', { skip: spawnSync('systemd-analyze', ['--version']).status === 0 ? false : 'systemd-analyze is not installed' }, async t => {
  const folder = t.testdir({ env: '' })
  const file = join(folder, 'dramatis.service')
  writeFileSync(file, read('dramatis.service').replace('/usr/bin/node', process.execPath).replace('/etc/dramatis.env', join(folder, 'env')).replace('User=dramatis', 'User=root'))
  const { stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', '--recursive-errors=no', file], { encoding: 'utf8' })
  t.same(stderr.split('\n').filter(line => line.includes('dramatis.service')), [])
})

t.test('the container copies what there is, and starts what npm start does', async t => {
  const code = read('Dockerfile')
  const copied = [...code.matchAll(/^COPY (?!--from)(.*) \S+$/gm)].flatMap(([, files = '']) => files.split(' '))
  const kept = [...code.matchAll(/^COPY --from=build (.*) \S+$/gm)].flatMap(([, files = '']) => files.split(' ')).map(file => file.replace('/app/', ''))
  for (const file of [...copied, ...kept.filter(file => file !== 'dist')]) t.ok(existsSync(join(packageRoot, file)), file)
  t.same(kept.toSorted(), ['characters', 'dist', 'node_modules', 'package.json', 'test/fixtures'], 'all that the server reads')
  t.equal(JSON.parse(/^CMD (\["node", "--enable.*)$/m.exec(code)![1]!).join(' '), scripts.start)
  for (const [, version] of code.matchAll(/^FROM node:(\d+)/gm)) t.ok(Number(version) > Number.parseFloat(engines.node.slice(2)))
})

t.test('the probe of the container sees a server that lives, and one that does not', async t => {
  const { port } = await startServer(t)
  const [, ...args] = JSON.parse(/CMD (\["node", "-e".*)$/m.exec(read('Dockerfile'))![1]!) as string[]
  t.equal(await probe(args, port), 0)
  t.equal(await probe(args, await freePort()), 1)
  const folder = t.testdir({})
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1', '-subj', '/CN=voice.example.com', '-keyout', key, '-out', cert], { stdio: 'ignore' })
  const secure = createHttpsServer({ cert: readFileSync(cert), key: readFileSync(key) }, ({ url }, response) => response.writeHead(url === '/health/live' ? 200 : 404).end()).listen(0, '127.0.0.1')
  t.teardown(() => secure.close())
  await once(secure, 'listening')
  t.equal(await probe(args, (secure.address() as AddressInfo).port, { TLS_CERT: cert }), 0, 'with a certificate of another name, too')
})

async function probe (args: string[], port: number, environment = {}): Promise<number> {
  const child = spawn(process.execPath, args, { env: { PORT: String(port), ...environment } })
  return await new Promise(resolve => child.once('exit', code => resolve(code!)))
}

const manifests = parseAllDocuments(read('kubernetes.yaml'))
const manifest = (kind: string) => manifests.map(document => document.toJS() as Record<string, any>).find(document => document.kind === kind)!

t.test('the manifests are of known kinds, and speak of the same pods', async t => {
  t.same(manifests.flatMap(document => document.errors), [])
  t.same(manifests.map(document => document.toJS()).map(({ kind, apiVersion, metadata }: any) => [kind, apiVersion, metadata.name]), [
    ['Deployment', 'apps/v1', 'dramatis'], ['Service', 'v1', 'dramatis'], ['PodDisruptionBudget', 'policy/v1', 'dramatis'], ['HorizontalPodAutoscaler', 'autoscaling/v2', 'dramatis']
  ])
  const { labels } = manifest('Deployment').spec.template.metadata
  t.match(labels, manifest('Deployment').spec.selector.matchLabels)
  t.match(labels, manifest('Service').spec.selector)
  t.match(labels, manifest('PodDisruptionBudget').spec.selector.matchLabels)
  t.match(manifest('HorizontalPodAutoscaler').spec.scaleTargetRef, { kind: 'Deployment', name: 'dramatis' })
})

t.test('pods are probed where the server answers, and given time to drain', async t => {
  const { http } = await startServer(t)
  const { containers: [container], terminationGracePeriodSeconds: grace } = manifest('Deployment').spec.template.spec
  for (const name of ['startupProbe', 'livenessProbe', 'readinessProbe']) t.equal((await fetch(http + container[name].httpGet.path)).status, 200, name)
  const environment = Object.fromEntries(container.env.map(({ name, value }: any) => [name, value]))
  const known = Environment.properties as Record<string, unknown>
  for (const name of Object.keys(environment)) t.ok(name in known, name)
  t.equal(environment.PORT, String(container.ports[0].containerPort))
  const [sleep, seconds] = container.lifecycle.preStop.exec.command
  t.equal(sleep, 'sleep')
  t.ok(grace > Number(seconds) + Number(environment.DRAIN_SECONDS) + CLOSE_SECONDS)
  const [metric] = manifest('HorizontalPodAutoscaler').spec.metrics
  t.ok(Number(metric.pods.target.averageValue) < Number(environment.MAX_SESSIONS), 'more pods come before the last place is taken')
  t.match(await (await fetch(`${http}/metrics`)).text(), `${metric.pods.metric.name} 0`)
})
