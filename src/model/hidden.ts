// What must not be shown of an address or a URL: the credentials that some write into it.

/** `https://(hidden)@host/path`; the same of an address without a scheme. Anything else is as it was. */
export function withoutCredentials(text: string): string {
  return text.replace(/^([a-z][a-z0-9+.-]*:\/\/)?[^/\s]*@/i, '$1(hidden)@')
}

export const hasCredentials = (url: string): boolean => withoutCredentials(url) !== url
