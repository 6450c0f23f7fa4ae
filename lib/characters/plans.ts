import { setTimeout as sleep } from 'node:timers/promises'
import { Plan, type PlanWorkshop } from './plan.js'
import type { SourcePositions } from './positions.js'
import type { Place } from './roots.js'

/** All plans of a library; sessions that ask together share one build. */
export class Plans {
  readonly #workshop: PlanWorkshop
  readonly #plans = new Map<string, Plan>()
  /** The last versions of each directory, oldest first. */
  readonly #versions = new Map<string, Plan[]>()
  readonly #kept: number
  readonly #building = new Map<string, Promise<Plan>>()
  static readonly MAX = 200

  /** @param versions how many of a directory are kept */
  constructor (workshop: PlanWorkshop, versions: number) {
    this.#workshop = workshop
    this.#kept = versions
  }

  /** @returns a plan that is true to the disk at some moment after the call */
  async get (place: Place): Promise<Plan> {
    const key = keyOf(place)
    const known = this.#plans.get(key)
    // Another content of a packed cast is another directory
    if (known?.directory === place.path && known.isCurrent()) {
      this.#keep(key, known)
      return known
    }
    const begun = this.#building.get(key)
    if (begun !== undefined) {
      // That build may have read a file just before it changed
      const plan = await begun
      if (plan.directory === place.path && plan.isCurrent()) return plan
    }
    return await (this.#building.get(key) ?? this.#build(key, place))
  }

  /** A version that the directory has, or had lately; undefined if that is not known. */
  async getVersion (place: Place, version: string): Promise<Plan | undefined> {
    const current = await this.get(place)
    if (current.version === version) return current
    return this.#versions.get(keyOf(place))?.find(plan => plan.version === version)
  }

  #build (key: string, { path, root }: Place): Promise<Plan> {
    const building = buildWhole(path, root, this.#workshop).then(plan => {
      this.#keep(key, plan)
      return plan
    }).finally(() => this.#building.delete(key))
    this.#building.set(key, building)
    return building
  }

  #keep (key: string, plan: Plan): void {
    this.#plans.delete(key)
    this.#plans.set(key, plan)
    const others = (this.#versions.get(key) ?? []).filter(({ version }) => version !== plan.version)
    const all = [...others, plan]
    const kept = all.slice(-this.#kept)
    this.#versions.set(key, kept)
    for (const old of all.slice(0, -this.#kept)) old.forget(kept)
    if (this.#plans.size <= Plans.MAX) return
    const oldest = this.#plans.keys().next().value!
    this.#plans.delete(oldest)
    this.#versions.delete(oldest)
  }

  /** The compiled positions of a file of any cast. */
  find (file: string): SourcePositions | undefined {
    for (const plan of [...this.#plans.values(), ...[...this.#versions.values()].flat()]) {
      const module = plan.find(file)
      if (module?.unit) return module.unit.code.positions
    }
    return undefined
  }

  clear (): void {
    this.#plans.clear()
    this.#versions.clear()
  }
}

/** How often a directory that is being written is read again before it is taken as it was found. */
const ATTEMPTS = 20

/** Somebody who saves files one after another must not leave sessions with the first of them alone for what they import. */
async function buildWhole (directory: string, root: string, workshop: PlanWorkshop): Promise<Plan> {
  for (let attempt = 1; ; attempt++) {
    const plan = await Plan.build(directory, root, workshop)
    if (plan.isWhole() || attempt === ATTEMPTS) return plan
    await sleep(Math.min(50, attempt * 5))
  }
}

/** The same for all contents of a packed cast. */
function keyOf ({ path, root, pack }: Place): string {
  return pack === undefined ? `${root}\n${path}` : [pack.file, ...pack.below].join('\n')
}
