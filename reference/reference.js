/* global SwaggerUIBundle */
// The contract is named relative to this page, so the reference also works below a proxy's path.
SwaggerUIBundle({
  url: new URL("../openapi.json", document.baseURI).href,
  dom_id: "#swagger-ui",
  deepLinking: true,
  tryItOutEnabled: true,
  displayRequestDuration: true,
  validatorUrl: null,
});

// Swagger UI has a class for its dark colors. theme.js keeps the choice in data-theme, which is absent for the system's.
const root = document.documentElement;
const system = matchMedia("(prefers-color-scheme: dark)");
const print = matchMedia("print");

function applyTheme() {
  const { theme } = root.dataset;
  const isDark = theme === undefined ? system.matches : theme === "dark";
  root.classList.toggle("dark-mode", isDark && !print.matches);
}

applyTheme();
for (const query of [system, print]) query.addEventListener("change", applyTheme);
new MutationObserver(applyTheme).observe(root, { attributeFilter: ["data-theme"] });
