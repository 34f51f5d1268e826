"""The rules of executing, all pure: `items` (what people do to items), `walk` (how a plan starts, goes on and ends),
`runs` (the next move of a workflow run), `workflows` (what a definition must be)."""
