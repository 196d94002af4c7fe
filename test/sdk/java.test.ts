import { testSdk } from "./tour.ts";

testSdk("java");
