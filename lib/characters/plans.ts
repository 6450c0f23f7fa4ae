import { Plan, type Workshop } from './plan.js'
import type { SourcePositions } from './positions.js'

/** All plans of a library; sessions that ask together share one build. */
export class Plans {
  readonly #workshop: Workshop
  readonly #plans = new Map<string, Plan>()
  readonly #building = new Map<string, Promise<Plan>>()
  static readonly MAX = 200

  constructor (workshop: Workshop) {
    this.#workshop = workshop
  }

  /** @returns a plan that is true to the disk at some moment after the call */
  async get (directory: string, root: string): Promise<Plan> {
    const key = `${root}\n${directory}`
    const known = this.#plans.get(key)
    if (known?.isCurrent()) {
      this.#keep(key, known)
      return known
    }
    const begun = this.#building.get(key)
    if (begun !== undefined) {
      // That build may have read a file just before it changed
      const plan = await begun
      if (plan.isCurrent()) return plan
    }
    return await (this.#building.get(key) ?? this.#build(key, directory, root))
  }

  #build (key: string, directory: string, root: string): Promise<Plan> {
    const building = Plan.build(directory, root, this.#workshop).then(plan => {
      this.#keep(key, plan)
      return plan
    }).finally(() => this.#building.delete(key))
    this.#building.set(key, building)
    return building
  }

  #keep (key: string, plan: Plan): void {
    this.#plans.delete(key)
    this.#plans.set(key, plan)
    if (this.#plans.size > Plans.MAX) this.#plans.delete(this.#plans.keys().next().value!)
  }

  /** The compiled positions of a file of any cast. */
  find (file: string): SourcePositions | undefined {
    for (const plan of this.#plans.values()) {
      const module = plan.find(file)
      if (module?.unit) return module.unit.code.positions
    }
    return undefined
  }

  clear (): void {
    this.#plans.clear()
  }
}
