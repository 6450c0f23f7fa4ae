/** Says what is wrong with a value, or null when nothing is. `path` is where it stands in its frame. */
export type Shape = (value: unknown, path: string) => string | null

const fault = (path: string, wanted: string, value: unknown): string =>
  `${path || 'the frame'} should be ${wanted}, but is ${value === undefined ? 'missing' : clip(JSON.stringify(value))}`

export const string: Shape = (value, path) => typeof value === 'string' ? null : fault(path, 'a string', value)
export const number: Shape = (value, path) => typeof value === 'number' ? null : fault(path, 'a number', value)
export const boolean: Shape = (value, path) => typeof value === 'boolean' ? null : fault(path, 'true or false', value)
export const integer: Shape = (value, path) => Number.isInteger(value) ? null : fault(path, 'an integer', value)
export const any: Shape = (value, path) => value === undefined ? fault(path, 'there', value) : null

export function oneOf (...wanted: (string | number | null)[]): Shape {
  return (value, path) => wanted.includes(value as string) ? null : fault(path, wanted.map(one => JSON.stringify(one)).join(' or '), value)
}

export function nullable (shape: Shape): Shape {
  return (value, path) => value === null ? null : shape(value, path)
}

export function array (shape: Shape): Shape {
  return (value, path) => {
    if (!Array.isArray(value)) return fault(path, 'an array', value)
    return first(value.map((one, index) => () => shape(one, `${path}[${index}]`)))
  }
}

/** An object with these keys, perhaps those, and any others. */
export function object (required: Record<string, Shape>, optional: Record<string, Shape> = {}): Shape {
  return (value, path) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return fault(path, 'an object', value)
    const fields = value as Record<string, unknown>
    const at = (key: string) => path === '' ? key : `${path}.${key}`
    return first([
      ...Object.entries(required).map(([key, shape]) => () => shape(fields[key], at(key))),
      ...Object.entries(optional).map(([key, shape]) => () => fields[key] === undefined ? null : shape(fields[key], at(key)))
    ])
  }
}

/** What none of the shapes refuses; otherwise the last one's fault is told. */
export function either (...shapes: Shape[]): Shape {
  return (value, path) => {
    let told: string | null = null
    for (const shape of shapes) {
      told = shape(value, path)
      if (told === null) return null
    }
    return told
  }
}

/** Objects whose shape follows from one key. */
export function tagged (key: string, shapes: Record<string, Shape>): Shape {
  return (value, path) => {
    if (typeof value !== 'object' || value === null) return fault(path, 'an object', value)
    const tag = (value as Record<string, unknown>)[key]
    const shape = Object.hasOwn(shapes, String(tag)) ? shapes[String(tag)] : undefined
    return shape?.(value, path) ?? (shape === undefined ? fault(`${path}.${key}`, Object.keys(shapes).join(' or '), tag) : null)
  }
}

/** Base64 never travels in these frames. */
export const absent: Shape = (value, path) => value === undefined || value === null ? null : `${path} should not be there`

function first (tests: (() => string | null)[]): string | null {
  for (const test of tests) {
    const told = test()
    if (told !== null) return told
  }
  return null
}

function clip (text: string): string {
  return text.length > 120 ? `${text.slice(0, 120)}…` : text
}
