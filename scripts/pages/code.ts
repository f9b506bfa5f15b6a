/** Markdown. */
export const code = (text: string): string => `\`${text}\``
