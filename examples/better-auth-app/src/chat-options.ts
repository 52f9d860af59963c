/** What both clients are given alike. */
export const ACCENT = "#2563eb";

export const GREETING = "What is to be done?";

export const START_PROMPTS = [
  { label: "Create a task", prompt: "add a task: water the plants", icon: "check-circle" },
  { label: "List my tasks", prompt: "list my tasks", icon: "notebook" },
  { label: "Get help", prompt: "help", icon: "circle-question" },
] as const;
